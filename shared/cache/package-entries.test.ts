/** Folders, links, modes and zeros of a package on a real disk, and what is found changed later. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { chunkCount } from "../model/manifest.ts";
import { seededBytes, temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { openCache } from "./disk/open-cache.ts";
import type { DistributionCache } from "./distribution-cache.ts";
import type { PackageStore } from "./package-store.ts";
import { cacheOptions } from "./testing.ts";

const key = testKey();
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
const never = new AbortController().signal;

async function newCache(): Promise<{ cache: DistributionCache; dir: string }> {
  const { path: dir, remove } = temporaryFolder("entries");
  cleanups.push(remove);
  const cache = await openCache(cacheOptions(dir));
  cleanups.push(() => cache.close().catch(() => {}));
  return { cache, dir };
}

const bundle = testPackage(key, {
  name: "App",
  files: { "Versions/A/App": 3_000, "Versions/A/Info": 20 },
  folders: ["Versions/A/Resources", "logs"],
  links: [
    { path: "App", target: "Versions/Current/App" },
    { path: "Versions/Current", target: "A" },
  ],
});

async function completed(): Promise<{ cache: DistributionCache; store: PackageStore; root: string }> {
  const { cache } = await newCache();
  const store = await cache.begin(bundle.signed, [key.publicKey]);
  for (let chunk = 0; chunk < store.verified.size; chunk++)
    await store.writeChunk(chunk, bundle.chunk(chunk), "wan");
  expect(await store.complete()).toMatchObject({ ok: true });
  return { cache, store, root: store.path! };
}

test("empty folders and links are there when the package is complete", async () => {
  const { root } = await completed();
  expect(readlinkSync(join(root, "Versions/Current"))).toBe("A");
  expect(readFileSync(join(root, "App")).length).toBe(3_000);
  for (const folder of bundle.manifest.folders) expect(statSync(join(root, folder)).isDirectory()).toBe(true);
});

test("a link in place of a folder is removed before a complete package is declared", async () => {
  const { cache, dir } = await newCache();
  const elsewhere = join(dir, "elsewhere");
  mkdirSync(elsewhere);
  const store = await cache.begin(bundle.signed, [key.publicKey]);
  const partial = join(dir, "cache", ".partial", bundle.id);
  mkdirSync(join(partial, "Versions"), { recursive: true });
  symlinkSync(elsewhere, join(partial, "Versions/A"));
  const writeMissing = async (): Promise<void> => {
    for (const chunk of store.verified.complement())
      await store.writeChunk(chunk, bundle.chunk(chunk), "wan");
  };
  await writeMissing();
  expect(await store.complete()).toMatchObject({ ok: false });
  await writeMissing();
  expect(await store.complete()).toMatchObject({ ok: true });
  expect(lstatSync(join(store.path!, "Versions/A")).isDirectory()).toBe(true);
});

const app = "Versions/A/App";
/** The content is right again after `verifyUnchanged` alone. */
const mendedChanges: [what: string, change: (root: string) => void][] = [
  ["nothing", () => {}],
  ["the time of a file", (root) => utimesSync(join(root, app), 1, 1)],
  ["the mode of a file", (root) => chmodSync(join(root, app), 0o755)],
  ["an empty folder removed", (root) => rmdirSync(join(root, "logs"))],
  ["a link removed", (root) => unlinkSync(join(root, "App"))],
  [
    "a link that leads elsewhere",
    (root) => {
      unlinkSync(join(root, "App"));
      symlinkSync("Versions", join(root, "App"));
    },
  ],
  [
    "a file in place of a folder",
    (root) => {
      rmdirSync(join(root, "logs"));
      writeFileSync(join(root, "logs"), "x");
    },
  ],
];
const lostChanges: [what: string, change: (root: string) => void][] = [
  ["a file removed", (root) => rmSync(join(root, app))],
  ["a file emptied", (root) => truncateSync(join(root, app))],
  ["a file lengthened", (root) => appendFileSync(join(root, app), "more")],
  [
    "a byte changed, with the size and the time of before",
    (root) => {
      const file = join(root, app);
      const { atime, mtime } = statSync(file);
      const bytes = readFileSync(file);
      bytes[5]! ^= 1;
      writeFileSync(file, bytes);
      utimesSync(file, atime, mtime);
    },
  ],
];

function expectRight(root: string): void {
  expect(readFileSync(join(root, app)).equals(Buffer.from(bundle.stream.subarray(0, 3_000)))).toBe(true);
  expect(statSync(join(root, app)).mode & 0o777).toBe(0o644);
  expect(readlinkSync(join(root, "App"))).toBe("Versions/Current/App");
  for (const folder of bundle.manifest.folders)
    expect(lstatSync(join(root, folder)).isDirectory()).toBe(true);
}

describe("a complete package that is verified before its use", () => {
  test.each(mendedChanges)("is right again after %s", async (_, change) => {
    const { store, root } = await completed();
    change(root);
    expect(await store.verifyUnchanged()).toMatchObject({ ok: true });
    expectRight(store.path!);
    expect(await store.verifyUnchanged()).toMatchObject({ ok: true });
  });

  test.each(lostChanges)("is fetched again in part after %s", async (_, change) => {
    const { store, root } = await completed();
    change(root);
    const result = await store.verifyUnchanged();
    expect(result).toMatchObject({ ok: false, paths: [app] });
    expect(store.state).toBe("partial");
    for (const chunk of store.verified.complement())
      await store.writeChunk(chunk, bundle.chunk(chunk), "wan");
    expect(await store.complete()).toMatchObject({ ok: true });
    expectRight(store.path!);
  });

  test("is not read when nothing changed, also after a restart", async () => {
    const { store, cache } = await completed();
    const stamp = cache.ledger.package(store.id)!.stamp;
    expect(stamp).toMatch(/^[0-9a-f]{64}$/);
    await store.close();
    const again = (await cache.find(bundle.id))!;
    let reads = 0;
    const check = again.check.bind(again);
    again.check = () => (reads++, check());
    expect(await again.verifyUnchanged()).toMatchObject({ ok: true });
    expect(reads).toBe(0);
  });
});

test("a change while the package is read shows at the next use", async () => {
  const { store, root } = await completed();
  utimesSync(join(root, app), 1, 1);
  const check = store.check.bind(store);
  store.check = async () => {
    const bad = await check();
    writeFileSync(join(root, app), new Uint8Array(3_000));
    return bad;
  };
  expect(await store.verifyUnchanged()).toMatchObject({ ok: true });
  store.check = check;
  expect(await store.verifyUnchanged()).toMatchObject({ ok: false, paths: [app] });
});

test("nothing is removed behind a link in place of a folder", async () => {
  const names = Array.from({ length: 40 }, (_, at) => `d${at + 10}`);
  const folders = names.map((name) => `data/${name}`);
  const { cache, dir } = await newCache();
  const wide = testPackage(key, { name: "wide", files: { a: 10 }, folders });
  const store = await cache.begin(wide.signed, [key.publicKey]);
  await store.writeChunk(0, wide.chunk(0), "wan");
  expect(await store.complete()).toMatchObject({ ok: true });
  const elsewhere = join(dir, "elsewhere");
  mkdirSync(elsewhere);
  for (const name of names) writeFileSync(join(elsewhere, name), "kept");
  rmSync(join(store.path!, "data"), { recursive: true });
  symlinkSync(elsewhere, join(store.path!, "data"));
  expect(await store.verifyUnchanged()).toMatchObject({ ok: true });
  expect(names.map((name) => readFileSync(join(elsewhere, name), "utf8"))).toEqual(names.map(() => "kept"));
  for (const folder of folders) expect(lstatSync(join(store.path!, folder)).isDirectory()).toBe(true);
});

describe("chunks without the network", () => {
  const chunkSizeBytes = 4_096;

  test("zeros are not fetched, and leave holes in the file", async () => {
    const parts = [
      new Uint8Array(40 * chunkSizeBytes),
      seededBytes(chunkSizeBytes, 3),
      new Uint8Array(200 * chunkSizeBytes),
    ];
    const stream = Buffer.concat(parts);
    const image = testPackage(key, { files: { "disk.img": stream.length }, chunkSizeBytes, stream });
    const { cache } = await newCache();
    const store = await cache.begin(image.signed, [key.publicKey]);
    await cache.storeLocalChunks(store, never);
    expect([...store.verified.complement()]).toEqual([40]);
    await store.writeChunk(40, image.chunk(40), "wan");
    expect(await store.complete()).toMatchObject({ ok: true });
    const file = join(store.path!, "disk.img");
    expect(readFileSync(file).equals(stream)).toBe(true);
    expect(statSync(file).blocks * 512).toBeLessThan(stream.length / 4);
  });

  test("zeros replace other bytes that are on the disk", async () => {
    const stream = new Uint8Array(3 * chunkSizeBytes);
    const image = testPackage(key, { files: { "disk.img": stream.length }, chunkSizeBytes, stream });
    const { cache, dir } = await newCache();
    const store = await cache.begin(image.signed, [key.publicKey]);
    const partial = join(dir, "cache", ".partial", image.id);
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, "disk.img"), seededBytes(2 * chunkSizeBytes + 100, 9));
    await cache.storeLocalChunks(store, never);
    await store.complete();
    expect(readFileSync(join(store.path!, "disk.img")).equals(stream)).toBe(true);
  });

  test("chunks of another cached version are copied, and a changed one of it is not", async () => {
    const files = { "big.bin": 60 * chunkSizeBytes, "run.sh": 300 };
    const one = testPackage(key, { name: "tool", version: "1", files, chunkSizeBytes });
    const changed = one.stream.slice();
    changed.fill(0x23, 60 * chunkSizeBytes);
    const two = testPackage(key, { name: "Tool", version: "2", files, chunkSizeBytes, stream: changed });
    const { cache } = await newCache();
    const before = await cache.begin(one.signed, [key.publicKey]);
    for (let chunk = 0; chunk < chunkCount(one.manifest); chunk++)
      await before.writeChunk(chunk, one.chunk(chunk), "multicast");
    await before.complete();
    const damaged = join(before.path!, "big.bin");
    const bytes = readFileSync(damaged);
    bytes[7 * chunkSizeBytes]! ^= 1;
    writeFileSync(damaged, bytes);
    const store = await cache.begin(two.signed, [key.publicKey]);
    await cache.storeLocalChunks(store, never);
    expect([...store.verified.complement()]).toEqual([7, 60]);
    expect(store.originBytes).toEqual({ wan: 0, multicast: 0, peers: 0, cache: 59 * chunkSizeBytes });
    expect(before.readers).toBe(0);
  });
});
