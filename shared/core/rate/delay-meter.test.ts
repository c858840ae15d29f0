import { expect, test } from "bun:test";
import { DelayMeter } from "./delay-meter.ts";

/** ENDs each 400 ms that take so long; what the meter says of each. */
function meter(delaysMs: readonly number[], { senderMs = 0, receiverMs = 0, driftPpm = 0 } = {}): number[] {
  const delay = new DelayMeter();
  return delaysMs.map((delayMs, i) => {
    const sentAtMs = (senderMs + i * 400) % 2 ** 32;
    return delay.onEnd(Math.floor(sentAtMs), receiverMs + i * 400 * (1 + driftPpm / 1e6) + delayMs);
  });
}

test("says how much later than the earliest an END comes, whatever the clocks say", () => {
  const delays = [3, 2, 2, 52, 62, 202, 203, 2, 2];
  const expected = [0, 0, 0, 0, 50, 60, 200, 0, 0];
  expect(meter(delays)).toEqual(expected);
  expect(meter(delays, { senderMs: 4e9 })).toEqual(expected);
  expect(meter(delays, { receiverMs: 1e12 })).toEqual(expected);
});

test("one that is late alone says nothing", () => {
  expect(meter([2, 2, 500, 2, 2, 90, 2])).toEqual([0, 0, 0, 0, 0, 0, 0]);
});

test("the sender's clock may turn over", () => {
  expect(meter([2, 2, 2, 2, 102, 102], { senderMs: 2 ** 32 - 1_000 })).toEqual([0, 0, 0, 0, 0, 100]);
  expect(meter([2, 1, 1, 1, 101, 101], { senderMs: 2 ** 32 - 800 })).toEqual([0, 0, 0, 0, 0, 100]);
});

test("a clock that drifts is no queue, one that jumps begins anew", () => {
  const drifting = meter(Array(9_000).fill(2), { driftPpm: 100 });
  expect(Math.max(...drifting)).toBeLessThanOrEqual(24);
  expect(meter([2, 2, 9_002, 9_002, 9_102, 9_102])).toEqual([0, 0, 0, 0, 0, 100]);
  expect(meter([9_002, 9_002, 2, 2, 102, 102])).toEqual([0, 0, 0, 0, 0, 100]);
});

test("a queue that does not go away is the network's own after four minutes", () => {
  const said = meter([2, 2, ...Array(900).fill(102)]);
  expect(said[100]).toBe(100);
  expect(said.at(-1)).toBe(0);
});
