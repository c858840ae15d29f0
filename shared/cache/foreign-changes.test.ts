/** Files of a package that another program changes: virus scanners, clean-up tools, installers. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { openCache } from "./disk/open-cache.ts";
import type { PackageStore } from "./package-store.ts";
import { cacheOptions } from "./testing.ts";

const key = testKey();
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

// Chunks of 1 KiB: 0 and 1 are in one.bin alone, 2 is in both files of the folder, 4 is in z.bin.
const published = testPackage(key, {
  files: { "a/one.bin": 2_500, "a/two.bin": 700, empty: 0, "z.bin": 1_000 },
});

async function begin(): Promise<{ dir: string; store: PackageStore }> {
  const { path: dir, remove } = temporaryFolder("foreign");
  cleanups.push(remove);
  const cache = await openCache(cacheOptions(dir));
  cleanups.push(() => cache.close().catch(() => {}));
  return { dir, store: await cache.begin(published.signed, [key.publicKey]) };
}

const write = async (store: PackageStore, chunks: Iterable<number>): Promise<void> => {
  for (const chunk of chunks) await store.writeChunk(chunk, published.chunk(chunk), "multicast");
};

/** Waits until the chunks are read back; the file system's clock has a resolution of 4 to 10 ms. */
async function settle(store: PackageStore): Promise<void> {
  await store.flush();
  await Bun.sleep(30);
}

const rewriteByte = (path: string): void => {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([readFileSync(path)[1_500]! ^ 1]), 0, 1, 1_500);
  closeSync(file);
};

const changes: [what: string, change: (path: string) => void][] = [
  ["emptied", (path) => truncateSync(path)],
  ["removed", (path) => rmSync(path)],
  ["written with other bytes of the same size", (path) => writeFileSync(path, Buffer.alloc(2_500, 7))],
  ["changed in one byte", rewriteByte],
  ["lengthened", (path) => appendFileSync(path, "more")],
  [
    "replaced by another file",
    (path) => {
      writeFileSync(`${path}.new`, Buffer.alloc(2_500, 7));
      renameSync(`${path}.new`, path);
    },
  ],
  [
    "replaced by a folder",
    (path) => {
      rmSync(path);
      mkdirSync(join(path, "inner"), { recursive: true });
    },
  ],
  [
    "replaced by a link",
    (path) => {
      renameSync(path, `${path}.away`);
      symlinkSync("one.bin.away", path);
    },
  ],
];

describe.each(changes)("a file that is %s after it was read back", (_, change) => {
  test.each([
    ["no more chunk", [0, 1, 2, 3, 4], []],
    ["a chunk of another file", [0, 1, 2, 3], [4]],
    ["a chunk of the same file", [1, 2, 3, 4], [0]],
  ])("is found although %s follows, and fetched again", async (__, before, after) => {
    const { dir, store } = await begin();
    await write(store, before);
    await settle(store);
    const partial = join(dir, "cache", ".partial", published.id);
    change(join(partial, "a", "one.bin"));
    await write(store, after).catch(() => {});
    const first = await store.complete();
    expect(first).toMatchObject({ ok: false, paths: expect.arrayContaining(["a/one.bin"]) });
    expect(existsSync(join(dir, "cache", published.manifest.name))).toBe(false);
    await write(store, store.verified.complement());
    const second = await store.complete();
    expect(second).toMatchObject({ ok: true });
    const folder = store.path!;
    const content = ["a/one.bin", "a/two.bin", "empty", "z.bin"].map((path) =>
      readFileSync(join(folder, path)),
    );
    expect(
      Buffer.concat(content).equals(Buffer.concat([0, 1, 2, 3, 4].map((at) => published.chunk(at)))),
    ).toBe(true);
  });
});

test("a complete package stays in its folder when a device asks for a chunk of a file that became shorter", async () => {
  const { store } = await begin();
  await write(store, [0, 1, 2, 3, 4]);
  expect((await store.complete()).ok).toBe(true);
  const folder = store.path!;
  truncateSync(join(folder, "z.bin"), 10);
  await expect(store.readVerified(4)).rejects.toMatchObject({ code: "corrupt" });
  expect([store.state, store.path, store.offered.has(4)]).toEqual(["complete", folder, false]);
  expect(existsSync(join(folder, "z.bin"))).toBe(true);
  expect(await store.check()).toEqual([4]);
});
