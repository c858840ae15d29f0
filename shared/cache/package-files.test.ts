import { afterEach, expect, test } from "bun:test";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { systemFiles } from "./disk/system-files.ts";
import type { Files } from "./files.ts";
import { PackageFiles } from "./package-files.ts";

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

/**
 * Returns the system's files. Their writes wait for `endWrites`, and syncs and changes of modes are
 * counted.
 */
function slowFiles() {
  const { promise: canEnd, resolve: endWrites } = Promise.withResolvers<void>();
  const system = systemFiles();
  const counts = { syncs: 0, diskSyncs: 0, modes: 0 };
  const files: Files = {
    ...system,
    syncDisk: async (...args) => {
      const isDone = await system.syncDisk(...args);
      if (isDone) counts.diskSyncs++;
      return isDone;
    },
    open: async (...opening) => {
      const file = await system.open(...opening);
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
        setMode: (mode) => {
          counts.modes++;
          return file.setMode(mode);
        },
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

test.skipIf(process.platform !== "linux")(
  "many small files cost one sync of the disk for each flush, and no change of their modes",
  async () => {
    const folder = temporaryFolder("package-files");
    cleanups.push(folder.remove);
    const sizes = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`folder/${at}`, 100 + at]));
    const { manifest, stream } = testPackage(testKey(), { files: sizes });
    const { files, counts, endWrites } = slowFiles();
    endWrites();
    const store = new PackageFiles(files, manifest, folder.path, "write");
    await store.write(0, stream, "cached");
    await store.sync();
    expect(counts).toEqual({ syncs: 0, diskSyncs: 1, modes: 0 });
    expect(await store.finish()).toEqual([]);
    expect(counts).toEqual({ syncs: 0, diskSyncs: 2, modes: 0 });
    await store.close();
  },
);
