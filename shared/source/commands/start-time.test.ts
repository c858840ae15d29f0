import { describe, expect, test } from "bun:test";
import { zoneIn } from "../../model/testing-zone.ts";
import { hasPassed, parsePointInTime, parseStartTime } from "./start-time.ts";

const at2026 = Date.UTC(2026, 0);
const day = 86_400_000;
const utc = (): number => 0;
const now = (text: string): number => Date.parse(`${text}Z`);
const start = (startAtMs: number, startIsLocal: boolean) => ({ startAtMs, startIsLocal });
const parse = (text: string, nowMs: number): number => parseStartTime(text, nowMs, utc).startAtMs;

test("refuses a start more than ten years from now", () => {
  for (const text of ["+100000000d", "+3651d", "2040-01-01", "2040-01-01T22:00 local"])
    expect(() => parse(text, at2026)).toThrow("more than ten years");
  expect(parse("+3650d", 0)).toBe(3_650 * day);
});

test("parses a start as a time or as a duration from now", () => {
  expect(parse("+10m", 1_000)).toBe(601_000);
  expect(parse("2030-01-31T22:00Z", at2026)).toBe(Date.UTC(2030, 0, 31, 22));
  expect(parse("2030-01-31T22:00:05+02:00", at2026)).toBe(Date.UTC(2030, 0, 31, 20, 0, 5));
  expect(parse("2030-01-31 22:00", at2026)).toBe(new Date(2030, 0, 31, 22).getTime());
});

test.each([
  "",
  "soon",
  "+",
  "+10",
  "10m",
  "2030-13-01T00:00",
  "31.01.2030",
  "1900000000",
  "24:00",
  "9:60",
  "local",
  "2030-13-01T22:00 local",
])("refuses %p with an example", (text) => {
  expect(() => parse(text, 0)).toThrow(/for example/);
});

describe("a start on each device's clock", () => {
  test.each([
    // The day and the time of the administrator decide which one is the next.
    ["22:00", "2026-07-01T12:00", "Europe/Berlin", "2026-07-01T22:00"],
    ["22:00", "2026-07-01T19:59", "Europe/Berlin", "2026-07-01T22:00"],
    ["22:00", "2026-07-01T20:00", "Europe/Berlin", "2026-07-02T22:00"],
    ["6:05", "2026-12-31T23:30", "Europe/Berlin", "2027-01-01T06:05"],
    ["22:00", "2026-07-01T02:00", "America/New_York", "2026-07-01T22:00"],
    ["2030-01-31T22:00 local", "2026-07-01T12:00", "Europe/Berlin", "2030-01-31T22:00"],
    ["2030-01-31 22:00:30 local", "2026-07-01T12:00", "Asia/Tokyo", "2030-01-31T22:00:30"],
  ])("%s given at %s UTC in %s is %s", (text, given, zone, expected) => {
    const found = parseStartTime(text, now(given), zoneIn(zone));
    expect(found).toEqual({ startAtMs: now(expected), startIsLocal: true });
  });

  test.each(["22:00", "2030-01-31T22:00 local"])("is refused for other times: %s", (text) => {
    expect(() => parsePointInTime(text, at2026)).toThrow("only --start takes");
  });
});

test("a start has passed by UTC, or by the administrator's clock", () => {
  const berlin = zoneIn("Europe/Berlin");
  expect(hasPassed(start(at2026 - 1, false), at2026, berlin)).toBe(true);
  expect(hasPassed(start(at2026, false), at2026, berlin)).toBe(false);
  expect(hasPassed(start(at2026 + 3_599_999, true), at2026, berlin)).toBe(true);
  expect(hasPassed(start(at2026 + 3_600_000, true), at2026, berlin)).toBe(false);
});
