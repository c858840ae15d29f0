import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ChunkSet } from "./chunk-set.ts";

describe("ChunkSet", () => {
  test("behaves like a Set of numbers for any sequence of additions and deletions", () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 0, max: 200 })
          .chain((size) =>
            fc.tuple(
              fc.constant(size),
              fc.array(fc.tuple(fc.boolean(), fc.integer({ min: -3, max: 210 })), { maxLength: 120 }),
            ),
          ),
        ([size, steps]) => {
          const set = new ChunkSet(size);
          const model = new Set<number>();
          for (const [adds, chunk] of steps) {
            const inside = chunk >= 0 && chunk < size;
            if (adds) {
              expect(set.add(chunk)).toBe(inside && !model.has(chunk));
              if (inside) model.add(chunk);
            } else {
              expect(set.delete(chunk)).toBe(model.delete(chunk));
            }
          }
          const members = [...model].toSorted((a, b) => a - b);
          expect([...set]).toEqual(members);
          expect(set.count).toBe(members.length);
          expect(set.end).toBe((members.at(-1) ?? -1) + 1);
          expect([...set.complement()]).toEqual(
            Array.from({ length: size }, (_, i) => i).filter((i) => !model.has(i)),
          );
          expect([...ChunkSet.fromRanges(size, set.toRanges())!]).toEqual(members);
          const third = ChunkSet.fromRanges(size, size === 0 ? [] : [0, Math.ceil(size / 3)])!;
          const both = set.clone();
          both.addAll(third);
          expect([...both]).toEqual([...new Set([...third, ...members])].toSorted((a, b) => a - b));
          expect(both.count).toBe([...both].length);
          both.deleteAll(third);
          expect([...both]).toEqual(members.filter((chunk) => !third.has(chunk)));
          expect(both.count).toBe([...both].length);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("refuses ranges that leave the package, overlap, descend or are not whole numbers", () => {
    for (const bad of [
      [0],
      [0, 0],
      [5, 6],
      [3, 2, 4, 1],
      [4, 1, 0, 1],
      [-1, 2],
      [0.5, 1],
      [0, 1e300],
      [Number.NaN, 1],
    ]) {
      expect(ChunkSet.fromRanges(10, bad)).toBeNull();
    }
    expect(ChunkSet.full(0).isFull).toBe(true);
    expect(ChunkSet.full(33).count).toBe(33);
  });

  test("returns at most the requested number of ranges", () => {
    const set = new ChunkSet(100);
    for (let chunk = 0; chunk < 100; chunk += 2) set.add(chunk);
    expect(set.toRanges(3)).toEqual([0, 1, 2, 1, 4, 1]);
  });
});
