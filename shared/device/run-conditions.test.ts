import { describe, expect, test } from "bun:test";
import type { AgentTask } from "../api/schema/agent.ts";
import { reasonText } from "../model/reason.ts";
import { parseRunSchedule } from "../model/run-schedule.ts";
import type { SettingValues } from "../model/setting.ts";
import { wallClockIn } from "../model/time-zone.ts";
import {
  hasConditions,
  obstacleOf,
  putOff,
  windowWait,
  type Deferrals,
  type Seen,
} from "./run-conditions.ts";
import { taskForTest } from "./testing.ts";

const utc = (text: string): number => Date.parse(`${text}Z`);
const clock = wallClockIn(() => 0);
const taskOf = (values: Partial<SettingValues>, more: Partial<AgentTask> = {}): AgentTask => ({
  ...taskForTest(values),
  ...more,
});

// Monday, 2 March 2026.
const noon = utc("2026-03-02T12:00");
const night = { runSchedule: parseRunSchedule("mon-fri 20:00-06:00") };

describe("the window", () => {
  test.each<[what: string, deadline: string | null, now: string, note: string | null]>([
    [
      "outside",
      null,
      "2026-03-02T12:00",
      "waits for its window: mon-fri 20:00-06:00; the next one begins at 2026-03-02T20:00:00.000Z",
    ],
    ["inside", null, "2026-03-02T20:00", null],
    ["inside, after midnight", null, "2026-03-03T05:59", null],
    [
      "outside, with a deadline after the next one",
      "2026-03-03T00:00",
      "2026-03-02T12:00",
      "waits for its window: mon-fri 20:00-06:00; the next one begins at 2026-03-02T20:00:00.000Z",
    ],
    [
      "outside, with a deadline before the next one",
      "2026-03-02T13:00",
      "2026-03-02T12:00",
      "waits for its window: mon-fri 20:00-06:00; begins at its deadline 2026-03-02T13:00:00.000Z",
    ],
    ["outside, at its deadline", "2026-03-02T12:00", "2026-03-02T12:00", null],
  ])("of a command %s, deadline %p, at %s: %p", (_, deadline, now, note) => {
    const task = taskOf(night, { deadlineAtMs: deadline === null ? null : utc(deadline) });
    const wait = windowWait(task, utc(now), clock);
    expect(wait && reasonText(wait.note)).toBe(note);
  });

  test("is that of the device's own clock", () => {
    const tokyo = wallClockIn(() => 9 * 3_600_000);
    expect(windowWait(taskOf(night), noon, tokyo)).toBeNull();
  });

  test("is not asked for without a schedule", () => {
    expect(windowWait(taskOf({}), noon, clock)).toBeNull();
  });
});

describe("an obstacle", () => {
  const seen: Seen = { programs: ["EXCEL.EXE", "soffice.bin"], ignoresCase: false, userIdleMs: null };
  const minute = 60_000;
  test.each<[what: string, notWhile: string[], seen: Partial<Seen>, obstacle: string[] | null]>([
    ["a program that runs", ["EXCEL.EXE"], {}, ["EXCEL.EXE"]],
    ["two programs that run", ["soffice.bin", "x", "EXCEL.EXE"], {}, ["soffice.bin", "EXCEL.EXE"]],
    ["a program that does not run", ["WINWORD.EXE"], {}, null],
    ["a part of a name", ["EXCEL", "office.bin"], {}, null],
    ["a name in another case", ["excel.exe"], {}, null],
    ["a name in another case where case does not count", ["excel.exe"], { ignoresCase: true }, ["excel.exe"]],
    ["a user who was active 9 minutes ago", [], { userIdleMs: 9 * minute }, []],
    ["a user who was active 10 minutes ago", [], { userIdleMs: 10 * minute }, null],
    ["nobody who is logged on", [], { userIdleMs: null }, null],
    ["a program and a user", ["EXCEL.EXE"], { userIdleMs: 0 }, ["EXCEL.EXE"]],
  ])("is found in %s", (_, notWhile, more, obstacle) => {
    expect(obstacleOf(taskOf({}, { notWhile }), { ...seen, ...more })).toEqual(obstacle);
  });

  test("is looked for if programs are named, or users count", () => {
    expect(hasConditions(taskOf({}))).toBe(false);
    expect(hasConditions(taskOf({}, { notWhile: ["x"] }))).toBe(true);
    expect(hasConditions(taskOf({ runWhileUserActive: false }))).toBe(true);
  });
});

const shown = (result: ReturnType<typeof putOff>) =>
  result && { ...result.wait, note: reasonText(result.wait.note) };

describe("a deferral", () => {
  const hour = 3_600_000;
  const none: Deferrals = { deferrals: 0, deferredUntilMs: 0 };
  const limited = taskOf({ runDeferrals: 3 });

  test.each<[what: string, before: Deferrals, expected: Deferrals | null]>([
    ["the first", none, { deferrals: 1, deferredUntilMs: noon + hour }],
    [
      "one that lasts",
      { deferrals: 1, deferredUntilMs: noon + 5 },
      { deferrals: 1, deferredUntilMs: noon + 5 },
    ],
    [
      "one that ends",
      { deferrals: 1, deferredUntilMs: noon },
      { deferrals: 2, deferredUntilMs: noon + hour },
    ],
    [
      "the last that lasts",
      { deferrals: 3, deferredUntilMs: noon + 5 },
      { deferrals: 3, deferredUntilMs: noon + 5 },
    ],
    ["after the last", { deferrals: 3, deferredUntilMs: noon }, null],
    // The clock was set back.
    [
      "one that lasts too long",
      { deferrals: 2, deferredUntilMs: noon + 100 * hour },
      { deferrals: 2, deferredUntilMs: noon + hour },
    ],
  ])("is counted: %s", (_, before, expected) => {
    const result = putOff(limited, before, ["EXCEL.EXE"], noon);
    expect(result && { deferrals: result.deferrals, deferredUntilMs: result.deferredUntilMs }).toEqual(
      expected,
    );
  });

  test("names its number, its end and the obstacle", () => {
    const before = { deferrals: 1, deferredUntilMs: noon };
    expect(shown(putOff(limited, before, ["EXCEL.EXE"], noon))).toEqual({
      note: "deferral 2 of 3, asks again at 2026-03-02T13:00:00.000Z; EXCEL.EXE runs",
      untilMs: noon + hour,
    });
    const short = { ...limited, deadlineAtMs: noon + 60_000 };
    expect(shown(putOff(short, before, [], noon))).toEqual({
      note: "deferral 2 of 3, asks again at 2026-03-02T12:01:00.000Z; a user is active",
      untilMs: noon + 60_000,
    });
  });

  test("is not counted without a limit", () => {
    const result = putOff(taskOf({}), none, ["EXCEL.EXE"], noon);
    expect(result).toMatchObject(none);
    expect(shown(result)?.note).toBe("waits while EXCEL.EXE runs");
    const task = taskOf({}, { deadlineAtMs: noon + 60_000 });
    expect(shown(putOff(task, none, ["EXCEL.EXE"], noon))).toEqual({
      note: "waits while EXCEL.EXE runs; begins at its deadline 2026-03-02T12:01:00.000Z at the latest",
      untilMs: noon + 60_000,
    });
  });

  test("does not happen where none is allowed", () => {
    expect(putOff(taskOf({ runDeferrals: 0 }), none, ["EXCEL.EXE"], noon)).toBeNull();
  });
});
