import { expect, test } from "bun:test";
import { LossMeter } from "./loss-meter.ts";

/** A pass of 1,000 symbols of which `received` arrive. */
function pass(meter: LossMeter, number: number, received: number): number | null {
  meter.received(received);
  return meter.onEnd(number * 1_000);
}

test("counts loss from the first END received", () => {
  const meter = new LossMeter();
  meter.received(300);
  expect(meter.onEnd(5_000)).toBeNull();
  expect(pass(meter, 6, 990)).toBe(10);
  expect(pass(meter, 7, 1_000)).toBe(0);
  expect(pass(meter, 8, 0)).toBe(1_000);
});

test("counts a short pass with the next one", () => {
  const meter = new LossMeter();
  meter.onEnd(1_000);
  meter.received(50);
  expect(meter.onEnd(1_060)).toBeNull();
  meter.received(850);
  expect(meter.onEnd(2_000)).toBe(100);
});

test("starts again with another representative, and does not count repairs received twice as negative loss", () => {
  const meter = new LossMeter();
  meter.onEnd(9_000);
  meter.received(500);
  expect(meter.onEnd(100)).toBeNull();
  meter.received(500);
  expect(meter.onEnd(400)).toBe(0);
});

test("makes a straggler after two bad passes in a row, and a follower after two good ones", () => {
  const meter = new LossMeter();
  meter.onEnd(0);
  const states = [200, 700, 700, 900, 700, 920, 950, 950].map((received, i) => {
    pass(meter, i + 1, received);
    return meter.straggles;
  });
  expect(states).toEqual([false, true, true, true, true, true, true, true].map((_, i) => i >= 1 && i < 6));
});
