import { expect, test } from "bun:test";
import { SendRateMeter } from "./send-rate-meter.ts";

test("measures symbols per second between two calls", () => {
  const meter = new SendRateMeter();
  meter.onSending(1_000);
  meter.onSent(500);
  meter.onSending(1_250);
  meter.onSent(500);
  expect(meter.perSecond(1_500)).toBe(2_000);
  meter.onSent(100);
  expect(meter.perSecond(2_000)).toBe(200);
});

test("measures nothing during a pause, and afterwards only what was sent since", () => {
  const meter = new SendRateMeter();
  expect(meter.perSecond(1_000)).toBeNull();
  meter.onSending(1_000);
  meter.onSent(500);
  expect(meter.perSecond(1_500)).toBe(1_000);
  meter.onIdle();
  expect(meter.perSecond(2_000)).toBeNull();
  meter.onSending(2_000);
  meter.onSent(300);
  expect(meter.perSecond(2_300)).toBe(1_000);
});

test("does not measure a short time alone, and counts it in the next measurement", () => {
  const meter = new SendRateMeter();
  meter.onSending(0);
  meter.onSent(100);
  expect(meter.perSecond(199)).toBeNull();
  meter.onSent(100);
  expect(meter.perSecond(400)).toBe(500);
  meter.onSent(300);
  expect(meter.perSecond(500)).toBe(500);
  expect(meter.perSecond(700)).toBe(1_000);
});
