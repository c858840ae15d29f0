import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../model/testing.ts";
import { openContentStore } from "./content-store.ts";

/** Paths of the files that this process has open. */
const openFiles = (): string[] =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });

test.skipIf(process.platform !== "linux")(
  "closes its file when a read fails, or the file is too short",
  async () => {
    const { path, remove } = temporaryFolder("content");
    const store = await openContentStore(path);
    // Reading a folder fails with EISDIR, after it was opened.
    mkdirSync(join(path, "folder", "content"), { recursive: true });
    await expect(new Response(store.read("folder", 0, 10, () => {})).bytes()).rejects.toThrow();
    mkdirSync(join(path, "short"));
    writeFileSync(join(path, "short", "content"), "12345");
    truncateSync(join(path, "short", "content"), 3);
    await expect(new Response(store.read("short", 0, 5, () => {})).bytes()).rejects.toThrow(/ends at byte 3/);
    expect(openFiles().filter((file) => file.startsWith(path))).toEqual([]);
    remove();
  },
);
