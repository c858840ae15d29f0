import { expect, test } from "bun:test";
import { DelayMeter } from "./delay-meter.ts";

/** Measures ENDs every 400 ms that take `delaysMs`; returns the queuing delay of each. */
function queuingDelays(
  delaysMs: readonly number[],
  { senderMs = 0, receiverMs = 0, driftPpm = 0 } = {},
): number[] {
  const delay = new DelayMeter();
  return delaysMs.map((delayMs, i) => {
    const sentAtMs = (senderMs + i * 400) % 2 ** 32;
    return delay.onEnd(Math.floor(sentAtMs), receiverMs + i * 400 * (1 + driftPpm / 1e6) + delayMs);
  });
}

test("measures how much later than the earliest an END arrives, independent of clock offsets", () => {
  const delays = [3, 2, 2, 52, 62, 202, 203, 2, 2];
  const expected = [0, 0, 0, 0, 50, 60, 200, 0, 0];
  expect(queuingDelays(delays)).toEqual(expected);
  expect(queuingDelays(delays, { senderMs: 4e9 })).toEqual(expected);
  expect(queuingDelays(delays, { receiverMs: 1e12 })).toEqual(expected);
});

test("ignores a single late END", () => {
  expect(queuingDelays([2, 2, 500, 2, 2, 90, 2])).toEqual([0, 0, 0, 0, 0, 0, 0]);
});

test("measures across a wrap of the sender's clock", () => {
  expect(queuingDelays([2, 2, 2, 2, 102, 102], { senderMs: 2 ** 32 - 1_000 })).toEqual([0, 0, 0, 0, 0, 100]);
  expect(queuingDelays([2, 1, 1, 1, 101, 101], { senderMs: 2 ** 32 - 800 })).toEqual([0, 0, 0, 0, 0, 100]);
});

test("does not take clock drift for a queue, and starts again after a clock jump", () => {
  const drifting = queuingDelays(Array(9_000).fill(2), { driftPpm: 100 });
  expect(Math.max(...drifting)).toBeLessThanOrEqual(24);
  expect(queuingDelays([2, 2, 9_002, 9_002, 9_102, 9_102])).toEqual([0, 0, 0, 0, 0, 100]);
  expect(queuingDelays([9_002, 9_002, 2, 2, 102, 102])).toEqual([0, 0, 0, 0, 0, 100]);
});

test("takes a queue that stays for four minutes as the network's own delay", () => {
  const delays = queuingDelays([2, 2, ...Array(900).fill(102)]);
  expect(delays[100]).toBe(100);
  expect(delays.at(-1)).toBe(0);
});
