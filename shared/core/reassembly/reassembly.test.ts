import { describe, expect, test } from "bun:test";
import { blockLayout, createErasureCode } from "../../fec/index.ts";
import { Reassembly } from "./reassembly.ts";
import { seededRandom } from "../../model/random.ts";

/** 375 symbols in 3 blocks. */
const chunkLengthBytes = 524_288;
const symbolSizeBytes = 1_400;
const layout = blockLayout(chunkLengthBytes, symbolSizeBytes);
const code = createErasureCode();

function chunkBytes(chunk: number): Uint8Array {
  const bytes = new Uint8Array(chunkLengthBytes);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + chunk * 7 + (i >>> 9)) & 255;
  return bytes;
}
const newReassembly = (memoryBytesMax = 1 << 30) =>
  new Reassembly({ chunkLengthBytes: () => chunkLengthBytes, symbolSizeBytes, code, memoryBytesMax });

const sourceOf = (bytes: Uint8Array, block: number, symbol: number): Uint8Array => {
  const at = layout.symbolOffsetBytes(block, symbol);
  return bytes.subarray(at, at + layout.symbolLengthBytes(block, symbol));
};
function repairOf(bytes: Uint8Array, block: number, count: number): Uint8Array[] {
  const at = layout.blockOffsetBytes(block);
  const view = bytes.subarray(at, at + layout.blockLengthBytes(block));
  const k = layout.k(block);
  const all = code.repairSymbols({ bytes: view, k, symbolSizeBytes }, k, count);
  return Array.from({ length: count }, (_, i) => all.slice(i * symbolSizeBytes, (i + 1) * symbolSizeBytes));
}
function addAll(into: Reassembly, chunk: number, loses: (block: number, symbol: number) => boolean): string {
  let last = "";
  for (let block = 0; block < layout.blockCount; block++) {
    for (let symbol = 0; symbol < layout.k(block); symbol++) {
      if (!loses(block, symbol))
        last = into.addSymbol(chunk, block, symbol, sourceOf(chunkBytes(chunk), block, symbol));
    }
  }
  return last;
}
const missingOf = (of: Reassembly, chunk: number): number[] => {
  const missing: number[] = [];
  of.missingSymbols(chunk, (block, count) => missing.push(block, count));
  return missing;
};

describe("reassembly", () => {
  test("starts partial chunks again when the symbols get another size, and keeps complete ones", () => {
    const r = newReassembly();
    expect(addAll(r, 1, () => false)).toBe("ready");
    addAll(r, 2, (_, symbol) => symbol === 0);
    r.setSymbolSize(1_304);
    expect(r.missingSymbols(2, () => {})).toBe(false);
    expect(r.take(1)).toEqual(chunkBytes(1));
    expect(r.memoryBytes).toBe(0);
    const other = blockLayout(chunkLengthBytes, 1_304);
    let last = "";
    for (let block = 0; block < other.blockCount; block++)
      for (let symbol = 0; symbol < other.k(block); symbol++) {
        const at = other.symbolOffsetBytes(block, symbol);
        const payload = chunkBytes(2).subarray(at, at + other.symbolLengthBytes(block, symbol));
        last = r.addSymbol(2, block, symbol, payload);
      }
    expect(last).toBe("ready");
    expect(r.take(2)).toEqual(chunkBytes(2));
  });

  test("does not begin a chunk with a symbol of another size", () => {
    const r = newReassembly();
    expect(r.addSymbol(0, 0, 0, new Uint8Array(1_304))).toBe("useless");
    expect(r.openCount).toBe(0);
    expect(r.missingSymbols(0, () => {})).toBe(false);
  });

  test("returns a chunk without losses unchanged after its last symbol", () => {
    const r = newReassembly();
    expect(addAll(r, 3, () => false)).toBe("ready");
    expect(r.take(3)).toEqual(chunkBytes(3));
    expect(r.openCount).toBe(0);
    expect(r.memoryBytes).toBe(0);
  });

  test("states how many symbols each block is missing, and accepts any repair symbols for them", () => {
    const r = newReassembly();
    addAll(
      r,
      0,
      (block, symbol) => (block === 1 && symbol < 3) || (block === 2 && symbol === layout.k(2) - 1),
    );
    expect(missingOf(r, 0)).toEqual([1, 3, 2, 1]);
    const repairs = repairOf(chunkBytes(0), 1, 5).slice(2);
    repairs.forEach((payload, i) => r.addSymbol(0, 1, layout.k(1) + 2 + i, payload));
    expect(missingOf(r, 0)).toEqual([2, 1]);
    expect(r.addSymbol(0, 2, layout.k(2), repairOf(chunkBytes(0), 2, 1)[0]!)).toBe("ready");
    expect(r.take(0)).toEqual(chunkBytes(0));
  });

  test("refuses duplicates, wrong lengths and unknown blocks without a change", () => {
    const r = newReassembly();
    const bytes = chunkBytes(0);
    expect(r.addSymbol(0, 0, 0, sourceOf(bytes, 0, 0))).toBe("placed");
    expect(r.addSymbol(0, 0, 0, sourceOf(bytes, 0, 0))).toBe("useless");
    expect(r.addSymbol(0, 0, 1, bytes.subarray(0, 10))).toBe("useless");
    expect(r.addSymbol(0, 0, 200, bytes.subarray(0, 10))).toBe("useless");
    expect(r.addSymbol(0, 9, 0, sourceOf(bytes, 0, 0))).toBe("useless");
    expect(missingOf(r, 0)[1]).toBe(layout.k(0) - 1);
  });

  test("spills old chunks to stay within the memory bound, and restores them from the disk", () => {
    const r = newReassembly(2 * chunkLengthBytes);
    const disk = new Map<number, Uint8Array>();
    for (let chunk = 0; chunk < 6; chunk++) {
      addAll(r, chunk, (block, symbol) => block === 0 && symbol === 5);
      for (let spill = r.takeSpill(); spill; spill = r.takeSpill()) disk.set(spill.chunk, spill.bytes);
      expect(r.memoryBytes).toBeLessThanOrEqual(2 * chunkLengthBytes);
    }
    expect(disk.size).toBeGreaterThanOrEqual(4);
    for (let chunk = 0; chunk < 6; chunk++) {
      expect(r.addSymbol(chunk, 0, 5, sourceOf(chunkBytes(chunk), 0, 5))).toBe("ready");
      if (r.isSpilled(chunk)) {
        expect(r.take(chunk)).toBeNull();
        r.restore(chunk, disk.get(chunk)!);
      }
      expect(r.take(chunk)).toEqual(chunkBytes(chunk));
    }
    expect(r.memoryBytes).toBe(0);
  });

  test("rebuilds a chunk from any symbols in any order, also across a spill, without memory for repairs", () => {
    const random = seededRandom(5);
    const integer = (below: number): number => Math.floor(random() * below);
    let spills = 0;
    for (let round = 0; round < 60; round++) {
      const r = newReassembly(round % 3 === 0 ? 0 : 1 << 30);
      const bytes = chunkBytes(round);
      const symbols: { block: number; symbol: number; payload: Uint8Array }[] = [];
      for (let block = 0; block < layout.blockCount; block++) {
        const k = layout.k(block);
        for (let symbol = 0; symbol < k; symbol++)
          symbols.push({ block, symbol, payload: sourceOf(bytes, block, symbol) });
        for (const [i, payload] of repairOf(bytes, block, 20).entries())
          symbols.push({ block, symbol: k + i, payload });
      }
      for (let i = symbols.length - 1; i > 0; i--) {
        const j = integer(i + 1);
        [symbols[i], symbols[j]] = [symbols[j]!, symbols[i]!];
      }
      let placed = "";
      let disk: Uint8Array | null = null;
      for (const { block, symbol, payload } of symbols) {
        placed = r.addSymbol(round, block, symbol, payload);
        if (placed === "ready") break;
        if (round % 3 !== 0) expect(r.memoryBytes).toBeLessThan(chunkLengthBytes + 3 * symbolSizeBytes);
        // The chunk touched last is not spilled, so another one is touched.
        if (round % 3 === 0 && !disk && integer(100) === 0) {
          r.addSymbol(round + 1, 0, 0, payload);
          r.forget(round + 1);
          disk = r.takeSpill()?.bytes ?? null;
        }
      }
      expect(placed).toBe("ready");
      if (r.isSpilled(round)) {
        spills++;
        r.restore(round, disk!);
      }
      expect(Buffer.compare(r.take(round)!, bytes)).toBe(0);
      expect(r.memoryBytes).toBe(0);
    }
    expect(spills).toBeGreaterThan(5);
  });
});

test("buffers of the longest chunks are used again, wherever shorter ones are in the package", () => {
  const reassembly = new Reassembly({
    chunkLengthBytes: (chunk) => [700, 4_096, 300, 4_096][chunk]!,
    symbolSizeBytes,
    code,
    memoryBytesMax: 1_000_000,
  });
  const [short, long] = [reassembly.buffer(700), reassembly.buffer(4_096)];
  reassembly.recycle(short);
  reassembly.recycle(long);
  reassembly.recycle(reassembly.buffer(300));
  expect(reassembly.buffer(4_096)).toBe(long);
});
