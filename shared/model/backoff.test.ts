import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { backoffMs, type Backoff } from "./backoff.ts";

const backoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.5, 1.5] };

describe("back-off", () => {
  test.each([
    // attempt, random value, delay
    [0, 0, 500],
    [0, 0.5, 1_000],
    [0, 0.999_9, 1_500],
    [1, 0.5, 2_000],
    [5, 0.5, 32_000],
    [6, 0.5, 60_000],
    [6, 0, 30_000],
    [10_000, 0.5, 60_000],
    [Number.POSITIVE_INFINITY, 0.5, 60_000],
  ])("after attempt %p with random %p waits %p ms", (attempt, random, delayMs) => {
    expect(backoffMs(backoff, attempt, () => random)).toBe(delayMs);
  });

  test.each([
    [{ baseMs: 1_000, maxMs: 300_000, jitter: [1, 1] }, 8, 256_000],
    [{ baseMs: 1_000, maxMs: 300_000, jitter: [1, 1] }, 9, 300_000],
    [{ baseMs: 10, maxMs: 60_000, jitter: [1, 1] }, 12, 40_960],
    [{ baseMs: 3, maxMs: 60_000, jitter: [0.5, 0.5] }, 0, 2],
    [{ baseMs: 0, maxMs: 60_000, jitter: [0.5, 1] }, 40, 0],
  ] as [Backoff, number, number][])("%j after attempt %p waits %p ms", (schedule, attempt, delayMs) => {
    expect(backoffMs(schedule, attempt, () => 0.25)).toBe(delayMs);
  });

  test("stays within the jitter of the doubled and bounded delay", () => {
    fc.assert(
      fc.property(
        fc.nat(100),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, at) => {
          const delayMs = backoffMs(backoff, attempt, () => at);
          const middleMs = Math.min(60_000, 1_000 * 2 ** attempt);
          expect(delayMs).toBeGreaterThanOrEqual(middleMs * 0.5);
          expect(delayMs).toBeLessThanOrEqual(middleMs * 1.5);
        },
      ),
    );
  });
});
