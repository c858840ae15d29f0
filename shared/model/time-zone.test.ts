import { describe, expect, test } from "bun:test";
import { zoneIn } from "./testing-zone.ts";
import { utcOfWallTime, wallClockIn } from "./time-zone.ts";

const utc = (text: string): number => Date.parse(`${text}Z`);

/** Europe/Berlin 2026: 02:00 to 03:00 is skipped on 29 March, and comes twice on 25 October. */
describe("the UTC time of a wall-clock time", () => {
  test.each([
    ["UTC", "2026-03-29T02:30", "2026-03-29T02:30"],
    ["Europe/Berlin", "2026-01-31T22:00", "2026-01-31T21:00"],
    ["Europe/Berlin", "2026-07-31T22:00", "2026-07-31T20:00"],
    ["Pacific/Kiritimati", "2026-01-31T22:00", "2026-01-31T08:00"],
    ["Pacific/Pago_Pago", "2026-01-31T22:00", "2026-02-01T09:00"],
    // A skipped time is as much later as the clocks were set forward.
    ["Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59"],
    ["Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30"],
    ["Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00"],
    ["Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45"],
    // A time that comes twice is the first one.
    ["Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"],
    ["Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00"],
    ["America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"],
  ])("in %s, %s is %s UTC", (zone, wall, expected) => {
    expect(new Date(utcOfWallTime(utc(wall), zoneIn(zone))).toISOString().slice(0, 16)).toBe(expected);
  });
});

test("a wall clock shows the time of its zone, also across midnight", () => {
  const clock = wallClockIn(zoneIn("Asia/Kathmandu"));
  expect(clock(utc("2026-03-02T18:20"))).toEqual({ day: "tue", minute: 5 });
});
