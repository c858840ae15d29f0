import { afterEach, expect, test } from "bun:test";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { systemFiles } from "./disk/system-files.ts";
import type { Files } from "./files.ts";
import { PackageFiles } from "./package-files.ts";

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

/** Returns the system's files. Their writes wait for `endWrites`, and their syncs are counted. */
function slowFiles() {
  const { promise: canEnd, resolve: endWrites } = Promise.withResolvers<void>();
  const system = systemFiles();
  const counts = { syncs: 0 };
  const files: Files = {
    ...system,
    open: async (path, access) => {
      const file = await system.open(path, access);
      return {
        write: async (...args) => {
          await canEnd;
          await file.write(...args);
        },
        sync: (what) => {
          counts.syncs++;
          return file.sync(what);
        },
        read: (...args) => file.read(...args),
        state: () => file.state(),
        setMode: (mode) => file.setMode(mode),
        close: () => file.close(),
      };
    },
  };
  return { files, counts, endWrites };
}

test("a write that runs during a sync is covered by the next sync", async () => {
  const folder = temporaryFolder("package-files");
  cleanups.push(folder.remove);
  const { manifest, chunk } = testPackage(testKey(), { files: { "a.bin": 4_096 } });
  const { files, counts, endWrites } = slowFiles();
  const store = new PackageFiles(files, manifest, folder.path, "write");
  const written = store.write(0, chunk(0), "cached");
  await store.sync();
  endWrites();
  await written;
  const before = counts.syncs;
  await store.sync();
  expect(counts.syncs).toBe(before + 1);
  await store.close();
});
