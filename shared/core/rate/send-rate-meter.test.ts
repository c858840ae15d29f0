import { expect, test } from "bun:test";
import { SendMeter } from "./send-rate-meter.ts";

test("symbols per second, from one question to the next", () => {
  const meter = new SendMeter();
  meter.going(1_000);
  meter.sent(500);
  meter.going(1_250);
  meter.sent(500);
  expect(meter.perSecond(1_500)).toBe(2_000);
  meter.sent(100);
  expect(meter.perSecond(2_000)).toBe(200);
});

test("nothing while it rests, and only what came after a rest", () => {
  const meter = new SendMeter();
  expect(meter.perSecond(1_000)).toBeNull();
  meter.going(1_000);
  meter.sent(500);
  expect(meter.perSecond(1_500)).toBe(1_000);
  meter.rested();
  expect(meter.perSecond(2_000)).toBeNull();
  meter.going(2_000);
  meter.sent(300);
  expect(meter.perSecond(2_300)).toBe(1_000);
});

test("a short while says nothing new, and is not forgotten", () => {
  const meter = new SendMeter();
  meter.going(0);
  meter.sent(100);
  expect(meter.perSecond(199)).toBeNull();
  meter.sent(100);
  expect(meter.perSecond(400)).toBe(500);
  meter.sent(300);
  expect(meter.perSecond(500)).toBe(500);
  expect(meter.perSecond(700)).toBe(1_000);
});
