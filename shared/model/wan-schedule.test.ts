import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { defaultSettingValues, settingValuesSchema } from "./setting.ts";
import { applySettingWords, settingLines } from "./setting-words.ts";
import * as v from "valibot";
import { deviceClock, type WallClock, type WallTime } from "./time-zone.ts";
import {
  formatWanSchedule,
  parseWanSchedule,
  wanPauseReason,
  wanRateAt,
  wanResumesAtMs,
} from "./wan-schedule.ts";

const limits = (schedule: string, wanRateBps: number | null = null) => ({
  wanRateBps,
  wanSchedule: parseWanSchedule(schedule),
});
const at = (text: string): WallTime => {
  const [day, hour, minute] = text.split(/[ :]/);
  return { day: day as WallTime["day"], minute: Number(hour) * 60 + Number(minute) };
};

const utc = (text: string): number => Date.parse(`${text}Z`);
const set = (word: string) => applySettingWords(defaultSettingValues, [word]);

const dayOf = { Sun: "sun", Mon: "mon", Tue: "tue", Wed: "wed", Thu: "thu", Fri: "fri", Sat: "sat" } as const;
/** Wall clock of another time zone. */
function clockIn(timeZone: string): WallClock {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  return (utcMs) => {
    const part = Object.fromEntries(format.formatToParts(utcMs).map(({ type, value }) => [type, value]));
    return {
      day: dayOf[part["weekday"] as "Sun"],
      minute: Number(part["hour"]) * 60 + Number(part["minute"]),
    };
  };
}
const berlin = clockIn("Europe/Berlin");

describe("the rate at a time", () => {
  const office = "mon-fri 08:00-18:00 2mbit; sat,sun pause; 22:00-06:00 none; fri 18:00-02:00 5mbit";
  test.each([
    ["mon 07:59", 1e6],
    ["mon 08:00", 2e6],
    ["mon 17:59", 2e6],
    ["mon 18:00", 1e6],
    ["mon 22:00", null],
    ["tue 00:00", null],
    ["tue 05:59", null],
    ["tue 06:00", 1e6],
    // The first window that matches applies, also before one that began the day before.
    ["sat 05:00", 0],
    ["sun 23:59", 0],
    ["mon 00:00", null],
    ["fri 18:00", 5e6],
    ["fri 22:00", null],
  ])("at %s is %p", (time, rate) => {
    expect(wanRateAt(limits(office, 1e6), at(time))).toBe(rate);
  });

  test.each([
    ["fri 21:59", 1e6],
    ["fri 22:00", 0],
    ["sat 05:59", 0],
    ["sat 06:00", 1e6],
    ["sat 23:00", 1e6],
    ["fri 03:00", 1e6],
  ])("assigns a window over midnight to the day on which it begins: %s is %p", (time, rate) => {
    expect(wanRateAt(limits("fri 22:00-06:00 pause", 1e6), at(time))).toBe(rate);
  });

  test("is wanRate without a schedule and outside its windows", () => {
    expect(wanRateAt(limits("none", 5e6), at("mon 12:00"))).toBe(5e6);
    expect(wanRateAt(limits("08:00-24:00 none", 0), at("mon 07:00"))).toBe(0);
    expect(wanRateAt(limits("08:00-24:00 none", 0), at("mon 23:59"))).toBeNull();
  });
});

describe("the reason of a pause", () => {
  test.each([
    ["08:00-18:00 pause", "2026-03-02T07:00", "paused by the setting until 18:00"],
    ["08:00-18:00 pause", "2026-03-02T06:59", ""],
    ["22:00-06:00 pause", "2026-03-02T22:30", "paused by the setting until 06:00"],
    ["22:00-24:00 pause; 00:00-07:30 pause", "2026-03-02T22:30", "paused by the setting until 07:30"],
    ["sat,sun pause; mon 00:00-08:00 pause", "2026-03-06T23:30", "paused by the setting until mon 08:00"],
    ["mon-sun pause", "2026-03-02T12:00", "paused by the setting until it is changed"],
    // Clocks change from 02:00 to 03:00: the window ends at the wall-clock time, or at 03:00 when
    // that time is skipped.
    ["01:30-02:30 pause", "2026-03-29T00:45", "paused by the setting until 03:00"],
    ["01:30-03:30 pause", "2026-03-29T00:45", "paused by the setting until 03:30"],
    // Clocks change back from 03:00 to 02:00: 02:30 occurs twice, and the window ends at the first
    // one.
    ["01:30-02:30 pause", "2026-10-25T00:15", "paused by the setting until 02:30"],
  ])("%s at %s UTC in Berlin: %s", (schedule, time, reason) => {
    expect(wanPauseReason(limits(schedule), utc(time), berlin)).toBe(reason);
  });

  test("ends at the same wall-clock time when an hour is skipped or repeated", () => {
    const night = limits("22:00-06:00 pause");
    expect(wanResumesAtMs(night, utc("2026-03-28T21:00"), berlin)).toBe(utc("2026-03-29T04:00"));
    expect(wanResumesAtMs(night, utc("2026-10-24T20:00"), berlin)).toBe(utc("2026-10-25T05:00"));
  });

  test("ends a pause by wanRate at the next window with another rate", () => {
    expect(wanPauseReason(limits("18:00-08:00 none", 0), utc("2026-03-02T12:00"), berlin)).toContain("18:00");
    expect(wanPauseReason(limits("none", 0), utc("2026-03-02T12:00"), berlin)).toContain(
      "until it is changed",
    );
  });
});

describe("the device's own clock", () => {
  const zone = process.env["TZ"];
  afterEach(() => {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });

  test("returns the time of its zone before and after a change of the offset", () => {
    process.env["TZ"] = "America/New_York";
    const clock = clockIn("America/New_York");
    for (const text of ["2026-03-08T06:59", "2026-03-08T07:00", "2026-11-01T05:59", "2026-11-01T06:00"]) {
      const utcMs = Date.parse(`${text}Z`);
      expect(deviceClock(utcMs)).toEqual(clock(utcMs));
    }
  });
});

/** Ranges of UTC minutes of a day of Berlin in which a pause applies. */
function rangesOf(schedule: string, date: string): string[] {
  const ranges: string[] = [];
  const startMs = utc(`${date}T00:00`) - 3_600_000;
  let from: number | null = null;
  for (let ms = startMs; ms <= startMs + 8 * 3_600_000; ms += 60_000) {
    const applies = wanRateAt(limits(schedule, 1e6), berlin(ms)) === 0;
    if (applies) from ??= ms;
    else if (from !== null) {
      ranges.push([from, ms].map((each) => new Date(each).toISOString().slice(11, 16)).join("-"));
      from = null;
    }
  }
  return ranges;
}

/** Europe/Berlin 2026: 02:00 to 03:00 is skipped on 29 March, and comes twice on 25 October. */
describe("a window at a change of the offset", () => {
  const spring = "2026-03-29";
  const autumn = "2026-10-25";

  test.each([
    ["02:00-03:00 pause", spring, []],
    ["02:00-03:00 pause", autumn, ["00:00-02:00"]],
    ["02:30-03:30 pause", spring, ["01:00-01:30"]],
    // The hour comes twice, so the window has two parts.
    ["02:30-03:30 pause", autumn, ["00:30-01:00", "01:30-02:30"]],
    ["01:30-02:30 pause", spring, ["00:30-01:00"]],
    ["01:30-02:30 pause", autumn, ["23:30-00:30", "01:00-01:30"]],
    ["sat 23:30-02:30 pause", spring, ["23:00-01:00"]],
  ])("%p on %s applies %p UTC", (schedule, date, expected) => {
    expect(rangesOf(schedule, date)).toEqual(expected);
  });

  test("a pause at all other times ends a day later when the window is skipped", () => {
    const only = limits("02:00-03:00 none", 0);
    const nowMs = utc("2026-03-28T12:00");
    expect(new Date(wanResumesAtMs(only, nowMs, berlin)!).toISOString()).toBe("2026-03-30T00:00:00.000Z");
    expect(wanPauseReason(only, nowMs, berlin)).toBe("paused by the setting until mon 02:00");
  });

  test("a pause in the doubled hour ends after its second pass", () => {
    const endMs = wanResumesAtMs(limits("02:00-03:00 pause"), utc("2026-10-25T00:30"), berlin);
    expect(new Date(endMs!).toISOString()).toBe("2026-10-25T02:00:00.000Z");
  });
});

describe("properties", () => {
  const window = fc
    .record({
      days: fc.subarray(["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const, { minLength: 1 }),
      fromMinute: fc.integer({ min: 0, max: 1_439 }),
      toMinute: fc.integer({ min: 0, max: 1_440 }),
      rateBps: fc.constantFrom(null, 0, 8_000, 2e6, 1.5e9),
    })
    .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute);
  const schedule = fc.array(window, { maxLength: 6 });
  const clock = fc
    .constantFrom("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC")
    .map(clockIn);
  const utcMs = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) });

  test("parses every schedule back from its text", () => {
    fc.assert(
      fc.property(schedule, (wanSchedule) => {
        expect(parseWanSchedule(formatWanSchedule(wanSchedule))).toEqual(wanSchedule);
      }),
    );
  });

  test("pauses every minute up to the reported end and none after it", () => {
    fc.assert(
      fc.property(schedule, clock, utcMs, (wanSchedule, wall, nowMs) => {
        const held = { wanRateBps: 0, wanSchedule };
        if (wanRateAt(held, wall(nowMs)) !== 0) return expect(wanResumesAtMs(held, nowMs, wall)).toBe(nowMs);
        const endMs = wanResumesAtMs(held, nowMs, wall);
        const lastMs = (endMs ?? nowMs + 7 * 86_400_000) - 60_000;
        // Every seventh minute, and the last one before the end.
        const minutes = [Math.max(nowMs, lastMs)];
        for (let ms = nowMs; ms < lastMs; ms += 7 * 60_000) minutes.push(ms);
        expect(minutes.filter((ms) => wanRateAt(held, wall(ms)) !== 0)).toEqual([]);
        if (endMs !== null) expect(wanRateAt(held, wall(endMs))).not.toBe(0);
      }),
      { numRuns: 30 },
    );
  });
});

describe("the setting wanSchedule", () => {
  test("is shown as it was written", () => {
    const text = "mon-fri 08:00-18:00 2mbit; sat,sun pause; mon,wed-fri 22:00-06:30 none; mon-sun 1gbit";
    const line = settingLines(set(`wanSchedule=${text}`)).find(({ key }) => key === "wanSchedule");
    expect(line?.value).toBe(text);
    expect(set("wanSchedule=none").wanSchedule).toEqual([]);
    expect(set("wanRate=pause").wanRateBps).toBe(0);
    expect(set("wanRate=0").wanRateBps).toBe(0);
    expect(settingLines(set("wanRate=0")).find(({ key }) => key === "wanRate")?.value).toBe("pause");
    expect(set("wanSchedule=FRI-MON 8:00-9:00 0;").wanSchedule).toEqual([
      { days: ["mon", "fri", "sat", "sun"], fromMinute: 480, toMinute: 540, rateBps: 0 },
    ]);
  });

  test.each([
    ["mon-fri 08:00-18:00", '"08:00-18:00" is not a rate'],
    ["2mbit", "days or hours are missing"],
    ["mo-fr 08:00-18:00 2mbit", '"mo-fr" is not a day'],
    ["08-18 2mbit", '"08-18" is not a range of hours'],
    ["08:00-25:00 2mbit", '"08:00-25:00" is not a range of hours'],
    ["24:00-08:00 2mbit", '"24:00-08:00" is not a range of hours'],
    ["08:00-08:00 pause", "ends when it begins"],
    ["mon 08:00-09:00 at 2mbit", '"at" is not expected after the hours'],
    ["mon 08:00-09:00 fast", '"fast" is not a rate'],
    ["mon 08:00-09:00 1bit", "it must be at least 8kbit"],
    ["mon pause; tue 1", '"tue 1" is not a window'],
  ])("refuses %p: %s", (text, why) => {
    expect(() => set(`wanSchedule=${text}`)).toThrow(why);
    expect(() => set(`wanSchedule=${text}`)).toThrow(text.split("; ").at(-1)!);
  });

  test("is bounded in JSON too, and may be missing there", () => {
    const { wanSchedule: _, ...older } = defaultSettingValues;
    expect(v.parse(settingValuesSchema, older).wanSchedule).toEqual([]);
    const window = { days: ["mon"], fromMinute: 0, toMinute: 60, rateBps: 0 };
    for (const wrong of [
      { days: [] },
      { days: ["mon", "mon"] },
      { toMinute: 0 },
      { rateBps: 7 },
      { fromMinute: 1.5 },
    ]) {
      const values = { ...defaultSettingValues, wanSchedule: [{ ...window, ...wrong }] };
      expect(v.safeParse(settingValuesSchema, values).success).toBe(false);
    }
    expect(() => set("wanRate=1bit")).toThrow("it must be at least 8kbit, or pause");
  });
});
