import { describe, expect, test } from "bun:test";
import { burstBytesMax, TokenBucket } from "./token-bucket.ts";

/**
 * Sends batches as soon as the bucket allows, at intervals of `timerMs`. Returns the bytes of each
 * interval.
 */
function send(
  bucket: TokenBucket,
  batchBytes: number,
  untilMs: number,
  timerMs: (now: number) => number,
  fromMs = 0,
): number[] {
  const sent: number[] = [];
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += timerMs(nowMs)) {
    let bytes = 0;
    while (bucket.available(nowMs) >= batchBytes) {
      bucket.spend(batchBytes);
      bytes += batchBytes;
    }
    sent.push(bytes);
  }
  return sent;
}
const batchBytes = 44 * 1_400;

/** Bytes in 200 ms, after 200 ms in which nothing was sent. */
function sentAfterPause(change: (bucket: TokenBucket) => void): number {
  const bucket = new TokenBucket(200e6, 0);
  bucket.available(200);
  change(bucket);
  return sum(send(bucket, batchBytes, 400, () => 1, 200));
}
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe("a token bucket", () => {
  test.each([10, 60, 200, 500, 900])("holds %d Mbit/s with timers of 1.1 ms", (mbit) => {
    const bucket = new TokenBucket(mbit * 1e6, 0);
    const bytes = sum(send(bucket, batchBytes, 4_000, () => 1.1));
    expect(bytes / ((mbit * 1e6 * 4) / 8)).toBeGreaterThan(0.96);
    expect(bytes / ((mbit * 1e6 * 4) / 8)).toBeLessThan(1.01);
  });

  test("catches up after occasional late timers", () => {
    const bucket = new TokenBucket(60e6, 0);
    const bytes = sum(send(bucket, batchBytes, 4_000, (nowMs) => (Math.floor(nowMs) % 50 === 0 ? 15 : 1.1)));
    expect(bytes / 30e6).toBeGreaterThan(0.97);
  });

  test("catches up after a long stall at a quarter above the rate", () => {
    const mbit = 200;
    const bucket = new TokenBucket(mbit * 1e6, 0);
    const bytes = send(bucket, batchBytes, 4_000, (nowMs) => (nowMs > 1_000 && nowMs < 1_001 ? 150 : 1));
    expect(sum(bytes) / ((mbit * 1e6 * 4) / 8)).toBeGreaterThan(0.98);
    const pausedAt = bytes.findIndex((_, i) => i > 1_000);
    const inTheNext = (ms: number): number =>
      sum(bytes.slice(pausedAt, pausedAt + ms)) / ((mbit * 1e3 * ms) / 8);
    // Three bursts are caught up with at once.
    expect(inTheNext(200)).toBeLessThan(1.25 + (3 * burstBytesMax) / ((mbit * 1e3 * 200) / 8));
    expect(Math.max(...bytes)).toBeLessThanOrEqual(burstBytesMax + batchBytes);
  });

  test("does not catch up with a pause, nor with the time before the rate was lowered", () => {
    const dueBytes = (200 * 200e6) / 8_000;
    expect(sentAfterPause(() => {})).toBeGreaterThan(dueBytes * 1.2);
    expect(sentAfterPause((bucket) => bucket.resume(200))).toBeLessThan(dueBytes * 1.02 + burstBytesMax);
    const slower = sentAfterPause((bucket) => (bucket.rateBps = 100e6));
    expect(slower).toBeLessThan(dueBytes * 0.52 + 3 * burstBytesMax);
  });

  test("allows one burst at a time, also after a long pause", () => {
    const bucket = new TokenBucket(200e6, 0);
    const first = send(bucket, batchBytes, 1, () => 1);
    bucket.available(10_000);
    const after = [10_000, 10_000.4, 10_001, 10_002].map((nowMs) => {
      const can = bucket.available(nowMs) >= batchBytes;
      if (can) bucket.spend(batchBytes);
      return can;
    });
    expect(first).toEqual([0]);
    expect(after).toEqual([true, false, true, true]);
    // Size of the burst as the kernel counts it, of its default buffer.
    expect((burstBytesMax / 1_400) * 2_304).toBeLessThan(212_992 * 0.7);
  });
});
