import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../model/testing.ts";
import { syncFileSystem } from "./file-system-sync.ts";

test.skipIf(process.platform !== "linux")(
  "syncs the file system of a folder, and throws when a later sync fails",
  async () => {
    const { path, remove } = temporaryFolder("sync");
    expect(await syncFileSystem(path)).toBe(true);
    expect(syncFileSystem(join(path, "missing"))).rejects.toThrow("ended with status 1");
    remove();
  },
);
