import { afterEach, expect, test } from "bun:test";
import { openCache } from "../cache/index.ts";
import { cacheOptions } from "../cache/testing.ts";
import { blockLayout } from "../fec/index.ts";
import { temporaryFolder, testKey, testPackage } from "../model/testing.ts";
import { ChunkReceiver } from "./chunk-receiver.ts";
import { sessionSizes } from "./ports.ts";

const symbolSizeBytes = 1_400;
const chunkSizeBytes = 262_144;
const layout = blockLayout(chunkSizeBytes, symbolSizeBytes);
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Returns a receiver for a package of `chunks` chunks; `place` passes one symbol to it. */
async function receiverOf(chunks: number) {
  const key = testKey();
  const sent = testPackage(key, { files: { "a.bin": chunks * chunkSizeBytes }, chunkSizeBytes });
  const { path, remove } = temporaryFolder("receiver");
  cleanups.push(remove);
  const cache = await openCache(cacheOptions(path));
  cleanups.push(() => cache.close());
  const stored: number[] = [];
  const errors: unknown[] = [];
  const receiver = new ChunkReceiver({
    store: await cache.begin(sent.signed, [key.publicKey]),
    sizes: sessionSizes,
    symbolSizeBytes,
    cipher: (_chunk, bytes) => bytes,
    onStored: (chunk) => {
      stored.push(chunk);
      receiver.stored(chunk);
    },
    onBadChunk: (chunk) => errors.push(chunk),
    onError: (error) => errors.push(error),
  });
  const place = (chunk: number, block: number, symbol: number): void => {
    const at = layout.symbolOffsetBytes(block, symbol);
    const payload = sent.chunk(chunk).subarray(at, at + layout.symbolLengthBytes(block, symbol));
    expect(receiver.accept({ kind: "symbol", chunk, block, symbol, payload, session: "", sender: "" })).toBe(
      true,
    );
  };
  const untilStored = async (count: number): Promise<void> => {
    for (let waited = 0; waited < 10_000 && stored.length < count; waited += 10) await Bun.sleep(10);
  };
  return { receiver, stored, errors, place, untilStored };
}

test("stores all chunks that a burst of symbols completes at once", async () => {
  const chunks = 40;
  const { receiver, stored, errors, place, untilStored } = await receiverOf(chunks);
  for (let chunk = 0; chunk < chunks; chunk++)
    for (let block = 0; block < layout.blockCount; block++)
      for (let symbol = 0; symbol < layout.k(block); symbol++)
        if (block + symbol > 0) place(chunk, block, symbol);
  expect(stored).toEqual([]);
  for (let chunk = 0; chunk < chunks; chunk++) place(chunk, 0, 0);
  await untilStored(chunks);
  expect(stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: chunks }, (_, chunk) => chunk));
  expect(receiver.counters.overflow).toBe(0);
  expect(errors).toEqual([]);
});

test("ignores symbols of a chunk that is being written", async () => {
  const { receiver, stored, errors, place, untilStored } = await receiverOf(2);
  for (let block = 0; block < layout.blockCount; block++)
    for (let symbol = 0; symbol < layout.k(block); symbol++) place(0, block, symbol);
  expect(stored).toEqual([]);
  place(0, 0, 0);
  expect(receiver.counters.useless).toBe(1);
  expect(receiver.reassembly.memoryBytes).toBe(0);
  await untilStored(1);
  expect(receiver.reassembly.openCount).toBe(0);
  expect(errors).toEqual([]);
});

test("stores a chunk that is completed while others are spilled, without a further symbol", async () => {
  const { receiver, stored, errors, place, untilStored } = await receiverOf(70);
  // One symbol allocates memory for its whole chunk: 12 MiB, and 4 MiB being written.
  const last = 62;
  for (let chunk = 0; chunk <= last; chunk++) place(chunk, 0, 0);
  for (let block = 0; block < layout.blockCount; block++)
    for (let symbol = 0; symbol < layout.k(block); symbol++)
      if (block + symbol > 0) place(last, block, symbol);
  expect(receiver.reassembly.openCount).toBe(last + 1);
  await untilStored(1);
  expect(stored).toEqual([last]);
  expect(errors).toEqual([]);
});
