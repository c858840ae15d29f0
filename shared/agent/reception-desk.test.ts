import { afterEach, expect, test } from "bun:test";
import { openCache } from "../cache/index.ts";
import { cacheOptions } from "../cache/testing.ts";
import { blockLayout } from "../fec/index.ts";
import { temporaryFolder, testKey, testPackage } from "../package/testing.ts";
import { ReceptionDesk } from "./reception-desk.ts";

const symbolSizeBytes = 1_400;
const chunkSizeBytes = 262_144;
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

test("a burst of symbols that makes many chunks ready at once loses none of them", async () => {
  const chunks = 40;
  const key = testKey();
  const sent = testPackage(key, { files: { "a.bin": chunks * chunkSizeBytes }, chunkSizeBytes });
  const { path, remove } = temporaryFolder("desk");
  cleanups.push(remove);
  const cache = await openCache(cacheOptions(path));
  cleanups.push(() => cache.close());
  const stored: number[] = [];
  const errors: unknown[] = [];
  const desk = new ReceptionDesk({
    store: await cache.begin(sent.signed, [key.publicKey]),
    symbolSizeBytes,
    cipher: (_chunk, bytes) => bytes,
    onStored: (chunk) => stored.push(chunk),
    onWrong: (chunk) => errors.push(chunk),
    onError: (error) => errors.push(error),
  });
  const layout = blockLayout(chunkSizeBytes, symbolSizeBytes);
  const place = (chunk: number, block: number, symbol: number): void => {
    const at = layout.symbolOffsetBytes(block, symbol);
    const payload = sent.chunk(chunk).subarray(at, at + layout.symbolLengthBytes(block, symbol));
    expect(desk.accept({ kind: "symbol", chunk, block, symbol, payload, session: "", sender: "" })).toBe(
      true,
    );
  };
  for (let chunk = 0; chunk < chunks; chunk++)
    for (let block = 0; block < layout.blockCount; block++)
      for (let symbol = 0; symbol < layout.k(block); symbol++)
        if (block + symbol > 0) place(chunk, block, symbol);
  expect(stored).toEqual([]);
  for (let chunk = 0; chunk < chunks; chunk++) place(chunk, 0, 0);
  for (let waited = 0; waited < 10_000 && stored.length < chunks; waited += 10) await Bun.sleep(10);
  expect(stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: chunks }, (_, chunk) => chunk));
  expect(desk.counters.overflow).toBe(0);
  expect(errors).toEqual([]);
});
