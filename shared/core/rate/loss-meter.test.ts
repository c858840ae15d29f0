import { expect, test } from "bun:test";
import { LossMeter } from "./loss-meter.ts";

/** A pass of 1,000 symbols of which so many are heard. */
function pass(meter: LossMeter, number: number, heard: number): number | null {
  meter.received(heard);
  return meter.onEnd(number * 1_000);
}

test("loss counts from the first END that was heard", () => {
  const meter = new LossMeter();
  meter.received(300);
  expect(meter.onEnd(5_000)).toBeNull();
  expect(pass(meter, 6, 990)).toBe(10);
  expect(pass(meter, 7, 1_000)).toBe(0);
  expect(pass(meter, 8, 0)).toBe(1_000);
});

test("a short pass counts with the next one", () => {
  const meter = new LossMeter();
  meter.onEnd(1_000);
  meter.received(50);
  expect(meter.onEnd(1_060)).toBeNull();
  meter.received(850);
  expect(meter.onEnd(2_000)).toBe(100);
});

test("another representative begins anew; repairs that are heard twice are no negative loss", () => {
  const meter = new LossMeter();
  meter.onEnd(9_000);
  meter.received(500);
  expect(meter.onEnd(100)).toBeNull();
  meter.received(500);
  expect(meter.onEnd(400)).toBe(0);
});

test("two bad passes in a row make a straggler, two good ones a follower again", () => {
  const meter = new LossMeter();
  meter.onEnd(0);
  const states = [200, 700, 700, 900, 700, 920, 950, 950].map((heard, i) => {
    pass(meter, i + 1, heard);
    return meter.straggles;
  });
  expect(states).toEqual([false, true, true, true, true, true, true, true].map((_, i) => i >= 1 && i < 6));
});
