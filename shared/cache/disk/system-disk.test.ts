/** Tests of images on block devices: loop devices of the kernel, with the real cache. */
import { afterEach, describe, expect, test } from "bun:test";
import { readSync, openSync, closeSync, writeSync, fsyncSync } from "node:fs";
import type { DiskFacts } from "../../model/image-order.ts";
import { temporaryFolder, testKey, testPackage } from "../../model/testing.ts";
import { platform } from "../../platform/index.ts";
import { loopDisk, loopSkip, type LoopDisk } from "../../platform/testing-loop.ts";
import type { CacheError } from "../cache-error.ts";
import type { DistributionCache } from "../distribution-cache.ts";
import type { PackageStore } from "../package-store.ts";
import { cacheOptions } from "../testing.ts";
import { openCache } from "./open-cache.ts";
import { openSystemDisk } from "./system-disk.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function folder(): string {
  const { path, remove } = temporaryFolder("image");
  cleanups.push(remove);
  return path;
}

const key = testKey();
const pins = [key.publicKey];
const mib = 1_048_576;
/** Not a whole number of chunks, blocks or sectors. */
const imageBytes = 9 * mib + 1_234;
const chunkSizeBytes = 65_536;
const image = testPackage(key, { files: { "disk.img": imageBytes }, chunkSizeBytes });

async function disk(sizeBytes = 16 * mib): Promise<LoopDisk> {
  const made = await loopDisk(folder(), sizeBytes);
  cleanups.push(made.remove);
  return made;
}

async function factsOf(path: string): Promise<DiskFacts> {
  const found = (await platform.listDisks()).find((one) => one.path === path);
  if (found === undefined) throw new Error(`no disk ${path}`);
  return found;
}

function bytesOf(path: string, position: number, length: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    const bytes = new Uint8Array(length);
    readSync(file, bytes, 0, length, position);
    return bytes;
  } finally {
    closeSync(file);
  }
}

function put(path: string, position: number, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, position);
  fsyncSync(file);
  closeSync(file);
}

const whole = (): Uint8Array => image.stream;

async function open(): Promise<DistributionCache> {
  const cache = await openCache(cacheOptions(folder()));
  cleanups.push(() => cache.close().catch(() => {}));
  return cache;
}

/** Begins the image on a disk as the device does. */
async function begin(cache: DistributionCache, path: string, keepsHead = false): Promise<PackageStore> {
  const opened = await openSystemDisk(await factsOf(path), imageBytes);
  const store = await cache.begin(image.signed, pins, undefined, opened);
  await store.adopt();
  await opened.begin(image.id, keepsHead);
  return store;
}

async function write(store: PackageStore, chunks: Iterable<number>): Promise<void> {
  for (const chunk of chunks)
    expect(await store.writeChunk(chunk, image.chunk(chunk), "multicast")).toBe("stored");
}

const skip = loopSkip();
describe.skipIf(skip !== "")(`an image on a block device${skip}`, () => {
  test("is complete only with its first block, which has a mark until then", async () => {
    const { path } = await disk();
    const cache = await open();
    const store = await begin(cache, path);
    const opened = cache.diskOf(image.id)!;
    await write(store, [...store.verified.complement()]);
    await store.flush();
    expect(Buffer.from(bytesOf(path, 0, 32)).toString()).toStartWith("flockcast: this disk holds");
    expect(await store.readVerified(0)).toEqual(image.chunk(0));
    expect((await store.complete()).ok).toBe(true);
    opened.release();
    expect(Bun.SHA256.hash(bytesOf(path, 0, imageBytes), "hex")).toBe(Bun.SHA256.hash(whole(), "hex"));
    expect(await store.readVerified(store.verified.size - 1)).toEqual(image.chunk(store.verified.size - 1));
  });

  test("continues after the ledger was lost with the chunks on the disk", async () => {
    const { path } = await disk();
    const first = await open();
    const half = Array.from({ length: 70 }, (_, chunk) => chunk);
    await write(await begin(first, path), half);
    await first.close();
    const opened = await openSystemDisk(await factsOf(path), imageBytes);
    expect(await opened.content()).toEqual({ kind: "begun", packageId: image.id });
    await opened.close();
    const store = await begin(await open(), path);
    // The first chunk is lost: the mark was in its place.
    expect([...store.verified]).toEqual(half.slice(1));
    await write(store, [...store.verified.complement()]);
    expect((await store.complete()).ok).toBe(true);
    expect(Bun.SHA256.hash(bytesOf(path, 0, imageBytes), "hex")).toBe(Bun.SHA256.hash(whole(), "hex"));
  });

  test("fetches again what the disk did not keep", async () => {
    const { path } = await disk();
    const cache = await open();
    const store = await begin(cache, path);
    await write(store, [...store.verified.complement()]);
    await store.flush();
    // Waits for the read-back of all chunks.
    await Bun.sleep(50);
    put(path, 5 * chunkSizeBytes + 7, new Uint8Array([1, 2, 3]));
    const bad = await store.check();
    expect(bad).toEqual([5]);
    await write(store, bad);
    expect((await store.complete()).ok).toBe(true);
  });

  test("stays claimed until the last task that pins it ends", async () => {
    const { path } = await disk();
    const cache = await open();
    const opened = await openSystemDisk(await factsOf(path), imageBytes);
    const store = await cache.begin(image.signed, pins, { id: 1, packageId: image.id }, opened);
    await opened.begin(image.id, false);
    // Another task of the package ends before it began.
    cache.unpin(image.id, 2);
    expect(opened.isClaimed).toBe(true);
    await write(store, [1]);
    await store.flush();
    cache.unpin(image.id, 1);
    expect(opened.isClaimed).toBe(false);
    expect(await store.readVerified(1)).toEqual(image.chunk(1));
  });

  test("is refused with its mark when the disk does not keep the last bytes that were written", async () => {
    const { path, file } = await disk();
    const cache = await open();
    const store = await begin(cache, path);
    await write(store, [...store.verified.complement()]);
    await store.flush();
    expect(await store.check()).toEqual([]);
    // The page cache of the disk has the right bytes, and what backs the disk has others.
    put(file, imageBytes - 9, new Uint8Array([1, 2, 3]));
    expect(await store.readVerified(store.verified.size - 1)).toEqual(image.chunk(store.verified.size - 1));
    const error = await store.complete().then(
      () => null,
      (reason: unknown) => reason as CacheError,
    );
    expect([error?.code, error?.message]).toEqual([
      "bad-disk",
      `The end of the image on "${path}" is not as it was written: replace the disk`,
    ]);
    expect(Buffer.from(bytesOf(path, 0, 32)).toString()).toStartWith("flockcast: this disk holds");
  });

  test("takes no room of the folder, and leaves the disk as it is when the package is removed", async () => {
    const { path } = await disk();
    const cache = await open();
    cache.setLimits({ maxBytes: mib, maxAgeMs: null, keepFree: { bytes: 0 } });
    const store = await begin(cache, path);
    await write(store, [...store.verified.complement()]);
    expect((await store.complete()).ok).toBe(true);
    expect(cache.storedBytes).toBe(0);
    await cache.remove(image.manifest.name, image.manifest.version);
    expect(bytesOf(path, mib, 64)).toEqual(whole().slice(mib, mib + 64));
  });

  test("makes runs of zeros zero on a disk that had other bytes there", async () => {
    const stream = whole().slice();
    for (const chunk of [0, 1, 2, 9, 144])
      stream.fill(0, chunk * chunkSizeBytes, (chunk + 1) * chunkSizeBytes);
    const zeros = testPackage(key, {
      name: "zeros",
      files: { "disk.img": imageBytes },
      chunkSizeBytes,
      stream,
    });
    const { path } = await disk();
    put(path, 0, new Uint8Array(imageBytes).fill(0xaa));
    const cache = await open();
    const opened = await openSystemDisk(await factsOf(path), imageBytes);
    const store = await cache.begin(zeros.signed, pins, undefined, opened);
    await opened.begin(zeros.id, false);
    await cache.storeLocalChunks(store, new AbortController().signal);
    expect([...store.verified]).toEqual([0, 1, 2, 9, 144]);
    for (const chunk of store.verified.complement()) await store.writeChunk(chunk, zeros.chunk(chunk), "wan");
    expect((await store.complete()).ok).toBe(true);
    expect(Bun.SHA256.hash(bytesOf(path, 0, imageBytes), "hex")).toBe(Bun.SHA256.hash(zeros.stream, "hex"));
  });

  test("is not begun on a disk that is mounted", async () => {
    const { path } = await disk(64 * mib);
    const at = folder();
    const make = Bun.spawnSync(["mkfs.ext4", "-q", path]);
    expect(make.exitCode).toBe(0);
    const empty = await openSystemDisk(await factsOf(path), imageBytes);
    expect(await empty.content()).toEqual({ kind: "data", found: "an ext file system" });
    await empty.close();
    expect(Bun.spawnSync(["mount", path, at]).exitCode).toBe(0);
    cleanups.push(() => void Bun.spawnSync(["umount", at]));
    expect((await factsOf(path)).uses).toEqual([`${path} on ${at}`]);
    expect(openSystemDisk(await factsOf(path), imageBytes)).rejects.toThrow("is in use");
  });
});
