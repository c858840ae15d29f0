import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { limits } from "./limits.ts";
import { ReplayWindow } from "./replay.ts";

test("accepts each sequence in the window once, in any order", () => {
  // Sequences wander and jump. The window answers like a set of all accepted ones, except that
  // sequences 4,096 or more below the highest are never fresh.
  const steps = fc.array(
    fc.oneof(fc.integer({ min: -5_000, max: 40 }), fc.integer({ min: 0, max: 5_000 }), fc.constant(31)),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(fc.nat(10_000), steps, (start, jumps) => {
      const window = new ReplayWindow();
      const accepted = new Set<number>();
      let highest = -1;
      let at = start;
      for (const jump of jumps) {
        at = Math.max(0, at + jump);
        const fresh = highest - at < limits.replayWindow && !accepted.has(at);
        expect(window.isFresh(at)).toBe(fresh);
        if (fresh) {
          window.accept(at);
          accepted.add(at);
          highest = Math.max(highest, at);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("accepts the first and the last sequence of 32 bits", () => {
  const window = new ReplayWindow();
  expect(window.isFresh(0)).toBe(true);
  window.accept(0);
  expect(window.isFresh(0)).toBe(false);
  window.accept(0xffff_ffff);
  expect(window.isFresh(0xffff_ffff)).toBe(false);
  expect(window.isFresh(0xffff_fffe)).toBe(true);
  expect(window.isFresh(0xffff_ffff - 4_095)).toBe(true);
  expect(window.isFresh(0xffff_ffff - 4_096)).toBe(false);
});

test("does not move when isFresh is called", () => {
  const window = new ReplayWindow();
  window.accept(10);
  expect(window.isFresh(1_000_000)).toBe(true);
  expect(window.isFresh(9)).toBe(true);
});
