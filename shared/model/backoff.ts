/**
 * Exponential back-off with jitter: the delay before a failed operation is tried again.
 *
 * Pure: it neither sleeps nor counts. The caller keeps the number of failures and hands in the
 * random source, so that a simulated device draws the same delays at every run.
 */

export type Backoff = {
  /** Delay after the first failure; it doubles with every further failure in a row. */
  readonly baseMs: number;
  /** Upper bound on the doubled delay, before jitter. */
  readonly maxMs: number;
  /**
   * Range of the random factor on the delay. A wider range spreads devices that lost the same
   * peer over more time.
   */
  readonly jitter: readonly [low: number, high: number];
};

/** Keeps the power of two finite. 2^30 ms is 12 days, longer than any `maxMs`. */
const doublingsMax = 30;

/**
 * Returns the delay in whole milliseconds: between `jitter[0]` and `jitter[1]` times the doubled
 * base.
 *
 * @param attempt failures in a row before the present one: 0 after the first failure
 * @param random uniform from 0 up to, not including, 1
 * @example
 * backoffMs({ baseMs: 1_000, maxMs: 60_000, jitter: [0.75, 1.25] }, 2, random) // 3,000 … 5,000
 */
export function backoffMs(
  { baseMs, maxMs, jitter: [low, high] }: Backoff,
  attempt: number,
  random: () => number,
): number {
  const delayMs = Math.min(maxMs, baseMs * 2 ** Math.min(doublingsMax, attempt));
  return Math.round(delayMs * (low + (high - low) * random()));
}
