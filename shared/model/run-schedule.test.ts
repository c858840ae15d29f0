import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatRunSchedule, mayRunFromMs, parseRunSchedule } from "./run-schedule.ts";
import { defaultSettingValues } from "./setting.ts";
import { applySettingWords, settingLines } from "./setting-words.ts";
import { zoneIn } from "./testing-zone.ts";
import { wallClockIn } from "./time-zone.ts";

const utc = (text: string): number => Date.parse(`${text}Z`);
const berlin = wallClockIn(zoneIn("Europe/Berlin"));

describe("the time from which a command may begin in Berlin", () => {
  test.each([
    ["none", "2026-03-02T12:00", "2026-03-02T12:00"],
    ["mon-fri 20:00-06:00; sat,sun", "2026-03-02T12:00", "2026-03-02T19:00"],
    ["mon-fri 20:00-06:00; sat,sun", "2026-03-02T19:00", "2026-03-02T19:00"],
    // Monday's window began on Monday, and ends on Tuesday at 06:00.
    ["mon-fri 20:00-06:00", "2026-03-03T04:59", "2026-03-03T04:59"],
    ["mon-fri 20:00-06:00", "2026-03-03T05:00", "2026-03-03T19:00"],
    // Sunday has no window that would reach into Monday.
    ["mon-fri 20:00-06:00", "2026-03-02T01:00", "2026-03-02T19:00"],
    ["mon-fri 20:00-06:00", "2026-03-07T04:30", "2026-03-07T04:30"],
    ["mon-fri 20:00-06:00", "2026-03-07T05:00", "2026-03-09T19:00"],
    ["sat,sun", "2026-03-06T12:00", "2026-03-06T23:00"],
    // The hour is skipped on 29 March: the next window is a day or a week later.
    ["02:00-03:00", "2026-03-28T12:00", "2026-03-30T00:00"],
    ["sun 02:00-03:00", "2026-03-28T12:00", "2026-04-05T00:00"],
    ["01:30-02:30", "2026-03-29T01:00", "2026-03-29T23:30"],
    // The hour comes twice on 25 October: its second pass is inside too.
    ["02:00-02:30", "2026-10-25T00:30", "2026-10-25T01:00"],
  ])("%s at %s UTC is %s UTC", (schedule, now, expected) => {
    const fromMs = mayRunFromMs(parseRunSchedule(schedule), utc(now), berlin);
    expect(new Date(fromMs).toISOString().slice(0, 16)).toBe(expected);
  });
});

const window = fc
  .record({
    days: fc.subarray(["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const, { minLength: 1 }),
    fromMinute: fc.integer({ min: 0, max: 1_439 }),
    toMinute: fc.integer({ min: 0, max: 1_440 }),
  })
  .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute);

test("parses every schedule back from its text", () => {
  fc.assert(
    fc.property(fc.array(window, { maxLength: 6 }), (schedule) => {
      expect(parseRunSchedule(formatRunSchedule(schedule))).toEqual(schedule);
    }),
  );
});

test("is shown as it was written, and removed with none", () => {
  const text = "mon-fri 20:00-06:00; sat,sun; mon-sun";
  const values = applySettingWords(defaultSettingValues, [`runSchedule=${text}`]);
  expect(settingLines(values).find(({ key }) => key === "runSchedule")?.value).toBe(text);
  expect(applySettingWords(values, ["runSchedule=none"]).runSchedule).toEqual([]);
});

test.each([
  ["runSchedule=mo-fr 08:00-18:00", '"mo-fr" is not a day'],
  ["runSchedule=08-18", '"08-18" is not a range of hours'],
  ["runSchedule=mon 08:00-09:00 2mbit", '"2mbit" is not expected after the hours'],
  ["runSchedule=mon; tue 09:00-09:00", "ends when it begins"],
  ["runSchedule=mon; none", '"none" is not a day'],
  [`runSchedule=${"mon;".repeat(33)}`, "at most 32 windows"],
  ["runWhileUserActive=maybe", "maybe"],
  ["userIdle=2d", "it must be at most 1d"],
  ["runDeferrals=-1", "-1"],
  ["runDeferral=10ms", "it must be at least 1s"],
  ["startJitter=2h", "it must be at most 1h"],
])("refuses %s: %s", (word, why) => {
  expect(() => applySettingWords(defaultSettingValues, [word])).toThrow(why);
});
