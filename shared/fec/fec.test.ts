/**
 * Tests of both kernels against the definition and against each other, and of every loss of a small
 * block.
 */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { inverseOf, coefficient } from "./cauchy.ts";
import { invert, multiply } from "./gf256.ts";
import { blockLayout } from "./layout.ts";
import type { Block, ErasureCode } from "./block.ts";
import { createErasureCode } from "./code.ts";
import { kernelBytes } from "./kernel.ts";
import { createTypescriptCode } from "./reedsolomon.ts";
import { createSimdCode } from "./simd.ts";
import { limits } from "../wire/limits.ts";

const typescriptCode = createTypescriptCode();
const simdCode = createSimdCode();
const codes = simdCode === null ? [typescriptCode] : [typescriptCode, simdCode];
/** The tests of the kernel fail on CI instead of being skipped. */
const mustRun = process.env.CI === "true";

/** Multiplication by the definition: shift, add, reduce. */
function slowMultiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0, shifted = a; bit < 8; bit++) {
    if ((b >>> bit) & 1) product ^= shifted;
    shifted <<= 1;
    if (shifted > 255) shifted ^= 0x11d;
  }
  return product;
}
/** Repair symbol, byte by byte from the definition. */
function slowRepair({ bytes, k, symbolSizeBytes }: Block, repair: number): Uint8Array {
  return Uint8Array.from({ length: symbolSizeBytes }, (_, i) => {
    let sum = 0;
    for (let source = 0; source < k; source++)
      sum ^= slowMultiply(invert(repair ^ source), bytes[source * symbolSizeBytes + i] ?? 0);
    return sum;
  });
}
/** Pseudo-random bytes that are equal at every run. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed * 2_654_435_761 + 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
const repairsOf = (code: ErasureCode, block: Block, symbols: readonly number[]) =>
  symbols.map((symbol) => ({ symbol, payload: code.repairSymbols(block, symbol, 1) }));
/** Overwrites `missing` with garbage and recovers them from `symbols`. */
function recovers(
  code: ErasureCode,
  block: Block,
  missing: readonly number[],
  symbols: readonly number[],
): boolean {
  const damaged = { ...block, bytes: block.bytes.slice() };
  for (const source of missing)
    damaged.bytes.fill(0x55, source * block.symbolSizeBytes, (source + 1) * block.symbolSizeBytes);
  return (
    code.recover(damaged, missing, repairsOf(code, block, symbols)) &&
    Buffer.compare(damaged.bytes, block.bytes) === 0
  );
}
const subsetsOf = (items: readonly number[], size: number): number[][] =>
  size === 0
    ? [[]]
    : items.flatMap((item, i) => subsetsOf(items.slice(i + 1), size - 1).map((rest) => [item].concat(rest)));
const upTo = (first: number, end: number): number[] =>
  Array.from({ length: end - first }, (_, i) => first + i);

describe("GF(2^8)", () => {
  test("multiplies every pair as the definition does", () => {
    for (let a = 0; a < 256; a++)
      for (let b = 0; b < 256; b++) if (multiply(a, b) !== slowMultiply(a, b)) throw new Error(`${a} × ${b}`);
  });
  test("inverts every element except zero", () => {
    for (let a = 1; a < 256; a++) expect(slowMultiply(a, invert(a))).toBe(1);
    expect(() => invert(0)).toThrow("no inverse");
  });
  test("inverts submatrices of the Cauchy matrix by the closed form", () => {
    const repairs = [64, 70, 133, 255, 77];
    const sources = [0, 63, 5, 17, 18];
    const inverse = inverseOf(repairs, sources);
    for (let i = 0; i < 5; i++)
      for (let j = 0; j < 5; j++) {
        let sum = 0;
        for (let m = 0; m < 5; m++)
          sum ^= multiply(inverse[i * 5 + m]!, coefficient(repairs[m]!, sources[j]!));
        expect(sum).toBe(i === j ? 1 : 0);
      }
  });
});

describe.each(codes)("repair symbols made by $kernel", (code) => {
  test("equal the definition for any count and any first symbol", () => {
    const blocks = fc.tuple(
      fc.integer({ min: 1, max: limits.blockSymbolsMax }),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(1_000),
    );
    fc.assert(
      fc.property(blocks, fc.nat(), fc.nat(9), fc.nat(), ([k, size, seed], from, many, short) => {
        const block: Block = { bytes: noise(k * size - (short % size), seed), k, symbolSizeBytes: size };
        const first = k + (from % (256 - k));
        const count = Math.min(many, 256 - first);
        const expected = upTo(first, first + count).map((repair) => slowRepair(block, repair));
        expect(Buffer.compare(code.repairSymbols(block, first, count), Buffer.concat(expected))).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test("are refused beyond number 255 and for blocks of a wrong size", () => {
    const block: Block = { bytes: noise(64, 1), k: 4, symbolSizeBytes: 16 };
    expect(() => code.repairSymbols(block, 3, 1)).toThrow("begin at k or above");
    expect(() => code.repairSymbols(block, 250, 7)).toThrow("Repair symbol 256");
    expect(() => code.repairSymbols({ ...block, k: 129 }, 129, 1)).toThrow("129 source symbols");
    expect(() => code.repairSymbols({ ...block, k: 5 }, 5, 1)).toThrow("is not 5 symbols of 16");
  });
});

describe.each(codes)("recovery by $kernel", (code) => {
  test("accepts repairs in the places of the missing symbols, in any order", () => {
    const block: Block = { bytes: noise(64 * 40, 9), k: 64, symbolSizeBytes: 40 };
    const missing = [0, 3, 4, 20, 40, 63];
    const damaged: Block = { ...block, bytes: block.bytes.slice() };
    const places = [20, 63, 0, 4, 40, 3].map((source) =>
      damaged.bytes.subarray(source * 40, (source + 1) * 40),
    );
    const repairs = repairsOf(code, block, [200, 64, 255, 70, 99, 65]).map(({ symbol, payload }, i) => {
      places[i]!.set(payload);
      return { symbol, payload: places[i]! };
    });
    expect(code.recover(damaged, missing, repairs)).toBe(true);
    expect(Buffer.compare(damaged.bytes, block.bytes)).toBe(0);
  });

  test("restores every loss of every block with k ≤ 5 from every choice among 5 repair symbols", () => {
    for (let k = 1; k <= 5; k++) {
      const block: Block = { bytes: noise(k * 6 - 2, k), k, symbolSizeBytes: 6 };
      for (let lost = 0; lost <= k; lost++)
        for (const missing of subsetsOf(upTo(0, k), lost))
          for (const symbols of subsetsOf(upTo(k, k + 5), lost))
            if (!recovers(code, block, missing, symbols))
              throw new Error(`k ${k}, lost ${missing}, repairs ${symbols}`);
    }
  });

  test("restores blocks of any size from any k symbols", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: limits.blockSymbolsMax }),
        fc.integer({ min: 1, max: 1_400 }),
        fc.infiniteStream(fc.nat()),
        (k, size, numbers) => {
          const next = (below: number): number => numbers.next().value! % below;
          const block: Block = { bytes: noise(k * size - next(size), k * size), k, symbolSizeBytes: size };
          const missing = upTo(0, k).filter(() => next(4) === 0);
          const symbols = new Set<number>();
          while (symbols.size < missing.length) symbols.add(k + next(256 - k));
          expect(recovers(code, block, missing, [...symbols])).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("restores a whole block from repair symbols alone", () => {
    for (const k of [64, limits.blockSymbolsMax]) {
      const block: Block = { bytes: noise(k * 1_400, 7), k, symbolSizeBytes: 1_400 };
      expect(recovers(code, block, upTo(0, k), upTo(256 - k, 256))).toBe(true);
    }
  });

  test("changes nothing when the repair symbols are too few", () => {
    const block: Block = { bytes: noise(40, 3), k: 4, symbolSizeBytes: 10 };
    const before = block.bytes.slice();
    expect(code.recover(block, [0, 1], repairsOf(code, block, [4]))).toBe(false);
    expect(block.bytes).toEqual(before);
  });

  test("refuses invalid arguments and names them", () => {
    const block: Block = { bytes: noise(40, 3), k: 4, symbolSizeBytes: 10 };
    expect(() => code.recover(block, [4], repairsOf(code, block, [5]))).toThrow("ascending numbers below 4");
    expect(() => code.recover(block, [1, 0], repairsOf(code, block, [5, 6]))).toThrow("ascending");
    expect(() => code.recover(block, [0, 1], repairsOf(code, block, [5, 5]))).toThrow("5 is given twice");
    expect(() => code.recover(block, [0], [{ symbol: 3, payload: new Uint8Array(10) }])).toThrow(
      "not a repair",
    );
    expect(() => code.recover(block, [0], [{ symbol: 4, payload: new Uint8Array(9) }])).toThrow(
      "9 bytes, not 10",
    );
  });
});

describe("the SIMD kernel", () => {
  const simd = (): ErasureCode => {
    if (simdCode === null)
      throw new Error("This machine has no WebAssembly with SIMD: the kernel cannot be tested");
    return simdCode;
  };

  test.skipIf(simdCode === null && !mustRun)(
    "is used where it runs (skipped without WebAssembly SIMD)",
    () => {
      expect(simd().kernel).toBe("simd");
      expect(createErasureCode().kernel).toBe("simd");
      expect(WebAssembly.Module.imports(new WebAssembly.Module(kernelBytes))).toEqual([]);
    },
  );

  test.skipIf(simdCode === null && !mustRun)(
    "gives the bits of the TypeScript kernel for any block, count and loss (skipped without WebAssembly SIMD)",
    () => {
      const sizes = fc.oneof(
        fc.integer({ min: 1, max: 1_400 }),
        fc.integer({ min: 1, max: 66 }),
        fc.constantFrom(15, 16, 17, 31, 32, 33, 1_399, 1_400),
      );
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: limits.blockSymbolsMax }),
          sizes,
          fc.infiniteStream(fc.nat()),
          (k, size, numbers) => {
            const next = (below: number): number => numbers.next().value! % below;
            // The block begins at any offset of its buffer, as in a chunk.
            const within = noise(k * size + 7, k * size + next(1_000));
            const at = next(8);
            const bytes = within.subarray(at, at + k * size - next(2) * next(size));
            const block: Block = { bytes, k, symbolSizeBytes: size };
            const first = k + next(256 - k);
            const count = next(257 - first);
            const made = simd().repairSymbols(block, first, count);
            expect(Buffer.compare(made, typescriptCode.repairSymbols(block, first, count))).toBe(0);

            const missing = upTo(0, k).filter(() => next(1 + next(8)) === 0);
            const symbols = new Set<number>();
            while (symbols.size < missing.length) symbols.add(k + next(256 - k));
            const repairs = repairsOf(typescriptCode, block, [...symbols]);
            const outcomes = [typescriptCode, simd()].map((code) => {
              const damaged = within.slice();
              const view = damaged.subarray(at, at + bytes.length);
              for (const source of missing) view.fill(0xaa, source * size, (source + 1) * size);
              expect(code.recover({ ...block, bytes: view }, missing, repairs)).toBe(true);
              return damaged;
            });
            // The bytes around the block are unchanged too.
            for (const outcome of outcomes) expect(Buffer.compare(outcome, within)).toBe(0);
          },
        ),
        { numRuns: 400 },
      );
    },
  );

  test.skipIf(simdCode === null && !mustRun)(
    "keeps no state between two blocks (skipped without WebAssembly SIMD)",
    () => {
      const k = limits.blockSymbolsMax;
      const size = limits.symbolMaxBytes;
      const large: Block = { bytes: new Uint8Array(k * size).fill(0xff), k, symbolSizeBytes: size };
      const small: Block = { bytes: noise(13, 5), k: 3, symbolSizeBytes: 5 };
      const expected = typescriptCode.repairSymbols(small, 3, 253);
      simd().repairSymbols(large, k, 256 - k);
      expect(Buffer.compare(simd().repairSymbols(small, 3, 253), expected)).toBe(0);
      expect(recovers(simd(), large, upTo(0, k - 1), upTo(k, 2 * k - 1))).toBe(true);
      expect(recovers(simd(), small, [1, 2], [7, 200])).toBe(true);
    },
  );

  test("is replaced by TypeScript where WebAssembly is missing or fails", () => {
    const script = `
      const { createErasureCode } = await import(${JSON.stringify(`${import.meta.dir}/index.ts`)});
      const code = createErasureCode();
      const block = { bytes: Uint8Array.of(1, 2, 3), k: 3, symbolSizeBytes: 1 };
      console.log(code.kernel, code.repairSymbols(block, 3, 2).toHex());`;
    const expected = typescriptCode.repairSymbols(
      { bytes: Uint8Array.of(1, 2, 3), k: 3, symbolSizeBytes: 1 },
      3,
      2,
    );
    for (const lack of [
      "delete globalThis.WebAssembly;",
      "WebAssembly.validate = () => false;",
      "WebAssembly.Instance = function () { throw new RangeError('Out of memory'); };",
    ]) {
      const run = Bun.spawnSync([process.execPath, "-e", lack + script]);
      expect(run.stderr.toString()).toBe("");
      expect(run.stdout.toString()).toBe(`typescript ${expected.toHex()}\n`);
    }
  });
});

describe("layout of a chunk", () => {
  test("covers every chunk once, in order, with blocks that differ by one symbol at most", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300_000 }),
        fc.integer({ min: 1, max: 1_400 }),
        (length, size) => {
          fc.pre(length / size < 5_000);
          const layout = blockLayout(length, size);
          const ks = upTo(0, layout.blockCount).map(layout.k);
          expect(Math.max(...ks)).toBeLessThanOrEqual(limits.blockSymbolsMax);
          expect(Math.max(...ks) - Math.min(...ks)).toBeLessThanOrEqual(1);
          expect(ks.toSorted((a, b) => b - a)).toEqual(ks);
          let offset = 0;
          for (let block = 0; block < layout.blockCount; block++) {
            expect(layout.blockOffsetBytes(block)).toBe(offset);
            for (let symbol = 0; symbol < layout.k(block); symbol++) {
              expect(layout.symbolOffsetBytes(block, symbol)).toBe(offset);
              const lengthBytes = layout.symbolLengthBytes(block, symbol);
              expect(layout.hasSymbol(block, symbol, lengthBytes)).toBe(true);
              offset += lengthBytes;
            }
            expect(layout.blockOffsetBytes(block) + layout.blockLengthBytes(block)).toBe(offset);
          }
          expect(offset).toBe(length);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("cuts a chunk of 256 KiB into 188 symbols of 1,400 bytes", () => {
    const layout = blockLayout(262_144, 1_400);
    expect([layout.symbolCount, layout.blockCount]).toEqual([188, 2]);
    expect([0, 1].map(layout.k)).toEqual([94, 94]);
    expect([0, 1].map(layout.firstSymbol)).toEqual([0, 94]);
    expect(layout.symbolLengthBytes(1, 93)).toBe(344);
    expect(upTo(0, 3).map(blockLayout(400_000, 1_400).k)).toEqual([96, 95, 95]);
  });

  test("recognizes which symbols from the network can be part of it", () => {
    const layout = blockLayout(262_144, 1_400);
    expect(layout.hasSymbol(2, 0, 1_400)).toBe(false);
    expect(layout.hasSymbol(1, 93, 1_400)).toBe(false);
    expect(layout.hasSymbol(1, 93, 344)).toBe(true);
    expect(layout.hasSymbol(1, 94, 1_400)).toBe(true);
    expect(layout.hasSymbol(1, 255, 344)).toBe(false);
    expect(layout.hasSymbol(1, 256, 1_400)).toBe(false);
  });

  test("refuses impossible sizes", () => {
    expect(() => blockLayout(0, 1_400)).toThrow("A chunk of 0 bytes");
    expect(() => blockLayout(1, 8_905)).toThrow("Symbols of 8905 bytes");
    expect(() => blockLayout(10_000_000, 1)).toThrow("take larger symbols");
  });
});
