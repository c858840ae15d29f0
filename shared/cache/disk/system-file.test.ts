import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../model/random.ts";
import { seededBytes, temporaryFolder, testKey, testPackage } from "../../model/testing.ts";
import { openCache } from "./open-cache.ts";
import type { ChunkOrigin } from "../ledger.ts";
import { DiskPace, pageBytes, SystemFile } from "./system-file.ts";
import { cacheOptions } from "../testing.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function folder(): string {
  const { path, remove } = temporaryFolder("file");
  cleanups.push(remove);
  return path;
}

async function openFile(pace = new DiskPace()): Promise<{ file: SystemFile; path: string; pace: DiskPace }> {
  const path = join(folder(), "made", "here");
  const file = await SystemFile.open(path, "write", 0o644, pace);
  cleanups.push(() => file.close().catch(() => {}));
  return { file, path, pace };
}

/** Bun allocates memory of this size at a page boundary. */
const sizeBytes = 64 * pageBytes;

describe("direct I/O", () => {
  test.skipIf(process.platform !== "linux")(
    "bypasses the page cache with the whole pages of a write",
    async () => {
      const { file, path, pace } = await openFile();
      const bytes = seededBytes(sizeBytes + 100, 3);
      const written = file.write(bytes, 0, bytes.length, 2 * pageBytes, "direct");
      expect(pace.directBytes).toBe(sizeBytes);
      await written;
      expect(pace.directBytes).toBe(0);
      expect(readFileSync(path).subarray(2 * pageBytes)).toEqual(Buffer.from(bytes));
      const back = new Uint8Array(bytes.length);
      expect(await file.read(back, 2 * pageBytes, "direct")).toBe(bytes.length);
      expect(Buffer.compare(back, bytes)).toBe(0);
    },
  );

  test("leaves a write that begins inside a page to the page cache", async () => {
    const { file, path, pace } = await openFile();
    const bytes = seededBytes(sizeBytes, 4);
    const written = file.write(bytes, 0, bytes.length, 512, "direct");
    expect(pace.directBytes).toBe(0);
    await written;
    expect(readFileSync(path).subarray(512)).toEqual(Buffer.from(bytes));
  });

  test("leaves small files to the page cache", async () => {
    const { file, path, pace } = await openFile();
    const bytes = seededBytes(8 * pageBytes, 7);
    const written = file.write(bytes, 0, bytes.length, 0, "direct");
    expect(pace.directBytes).toBe(0);
    await written;
    expect(readFileSync(path)).toEqual(Buffer.from(bytes));
  });

  test("returns the bytes up to the end of a file, inside a page or between two", async () => {
    for (const length of [sizeBytes, sizeBytes - 1, pageBytes + 1]) {
      const { file } = await openFile();
      const bytes = seededBytes(length, 5);
      await file.write(bytes, 0, length, 0, "direct");
      const into = new Uint8Array(2 * sizeBytes);
      expect(await file.read(into, 0, "direct")).toBe(length);
      expect(Buffer.compare(into.subarray(0, length), bytes)).toBe(0);
    }
  });

  test("and the page cache stay coherent, at any position in file and memory", async () => {
    const { file, path } = await openFile();
    const random = seededRandom(11);
    const integer = (below: number): number => Math.floor(random() * below);
    const expected = new Uint8Array(4 * sizeBytes);
    await file.write(expected, 0, expected.length, 0, "cached");
    for (let round = 0; round < 300; round++) {
      // Two of three positions in file and memory are page-aligned.
      const unit = integer(3) === 0 ? 1 : pageBytes;
      const position = integer(expected.length / unit) * unit;
      const memory = seededBytes(sizeBytes, round);
      const at = integer(memory.length / unit) * unit;
      const length = Math.min(memory.length - at, expected.length - position, 1 + integer(sizeBytes));
      if (integer(2) === 0) {
        await file.write(memory, at, length, position, integer(2) === 0 ? "direct" : "cached");
        expected.set(memory.subarray(at, at + length), position);
      } else {
        const into = memory.subarray(at, at + length);
        expect(await file.read(into, position, integer(2) === 0 ? "direct" : "cached")).toBe(length);
        expect(Buffer.compare(into, expected.subarray(position, position + length))).toBe(0);
      }
    }
    expect(readFileSync(path)).toEqual(Buffer.from(expected));
  });

  test("falls back to the page cache if the file system does not support it", async () => {
    const pace = new DiskPace();
    pace.supportsDirect = false;
    const { file, path } = await openFile(pace);
    const bytes = seededBytes(sizeBytes, 6);
    await file.write(bytes, 0, bytes.length, 0, "direct");
    expect(readFileSync(path)).toEqual(Buffer.from(bytes));
  });

  test("is replaced by the page cache for the next writes after a backlog of 100 ms", () => {
    const pace = new DiskPace();
    pace.supportsDirect = true;
    // A short burst of ready chunks does not count as a backlog.
    pace.addDirectBytes(4 << 20, 1_000);
    expect(pace.takesDirect(1_099)).toBe(true);
    pace.addDirectBytes(-(3 << 20), 1_099);
    pace.addDirectBytes(3 << 20, 1_150);
    expect(pace.takesDirect(1_200)).toBe(true);
    expect(pace.takesDirect(1_250)).toBe(false);
    pace.addDirectBytes(-(4 << 20), 1_251);
    const next = Array.from({ length: 65 }, () => pace.takesDirect(1_251));
    expect(next.indexOf(true)).toBe(64);
  });
});

test("a closed file neither reads nor writes the file that has its descriptor now", async () => {
  const { file } = await openFile();
  await file.close();
  const { file: next, path } = await openFile();
  expect(() => file.state()).toThrow();
  expect(file.write(seededBytes(10, 1), 0, 10, 0, "cached")).rejects.toThrow();
  await next.write(seededBytes(10, 2), 0, 10, 0, "cached");
  expect(readFileSync(path)).toEqual(Buffer.from(seededBytes(10, 2)));
});

test("a package written with direct I/O completes with the right bytes, for any file sizes and chunk origins", async () => {
  const dir = folder();
  const key = testKey();
  const large = testPackage(key, {
    files: { "a.img": 50 * 1024 * 1024 + 17, "b/c.bin": 70_000, "b/d.bin": 0, "e.img": 16 * 1024 * 1024 },
    chunkSizeBytes: 256 * 1024,
  });
  const cache = await openCache(cacheOptions(dir));
  cleanups.push(() => cache.close().catch(() => {}));
  const store = await cache.begin(large.signed, [key.publicKey]);
  const origins: ChunkOrigin[] = ["multicast", "multicast", "peers", "wan"];
  for (let chunk = 0; chunk < store.verified.size; chunk += 8) {
    const several = Array.from({ length: 8 }, (_, index) => chunk + index).filter(
      (each) => each < store.verified.size,
    );
    const outcomes = await Promise.all(
      several.map((each) => store.writeChunk(each, large.chunk(each), origins[each % origins.length]!)),
    );
    expect(outcomes.every((outcome) => outcome === "stored")).toBe(true);
    // Another device requests the chunk while the rest is still being received.
    expect(await store.readVerified(chunk)).toEqual(large.chunk(chunk));
  }
  const done = await store.complete();
  if (!done.ok) throw new Error(`${done.badChunks.length} chunks were bad`);
  const files = large.manifest.files.map(({ path }) => readFileSync(join(done.path, path)));
  expect(Buffer.concat(files).equals(large.stream)).toBe(true);
  expect(await store.check()).toEqual([]);
}, 60_000);
