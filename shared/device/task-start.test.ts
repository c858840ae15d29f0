/** When a task starts: its start time, clocks that are set, and attempts that never overlap. */
import { describe, expect, test } from "bun:test";
import { unknownConditions, type Conditions } from "../model/conditions.ts";
import { reason } from "../model/reason.ts";
import type { SettingValues } from "../model/setting.ts";
import { TestClock } from "../simulation/testing.ts";
import { CommandTurns } from "./command-turns.ts";
import type { DevicePorts } from "./ports.ts";
import { startSpreadMs } from "./start-spread.ts";
import { Task } from "./task.ts";
import { newTaskRow } from "./task-record.ts";
import { taskForTest } from "./testing.ts";

const startAtMs = 10_000_000;
/** Setting `startJitter`: upper bound on the spread of a task that arrived `startAtMs` ahead. */
const spreadMsMax = 30_000;

/** A task whose attempts are counted, and never get beyond the look into the cache. */
function waitingTask(
  conditions: Conditions = unknownConditions,
  given: { readonly startAtMs: number; readonly values: Partial<SettingValues> } = { startAtMs, values: {} },
) {
  const time = new TestClock();
  const wall = { offsetMs: 0 };
  const zone = { offsetMs: 0 };
  let attempts = 0;
  let pins = 0;
  const found: ((store: unknown) => void)[] = [];
  const ports = {
    conditions: () => conditions,
    device: "aa".repeat(8),
    clock: {
      nowMs: () => time.nowMs(),
      wallMs: () => time.wallMs() + wall.offsetMs,
      after: (delayMs: number, run: () => void) => time.after(delayMs, run),
    },
    random: () => 0,
    cache: {
      find: () => {
        attempts++;
        const { promise, resolve } = Promise.withResolvers<unknown>();
        found.push(resolve);
        return promise;
      },
      pin: () => void pins++,
      unpin() {},
      ledger: { saveTask() {} },
    },
    timeZone: () => zone.offsetMs,
    place: { address: "127.0.0.1", subnetId: null, answered: null },
    log: { info() {}, warn() {}, error() {} },
    metrics: { taskEnded() {} },
    disks: { onlyTask: null },
  } as unknown as DevicePorts;
  const task = new Task({
    ports,
    offers: {} as never,
    row: newTaskRow({ ...taskForTest(given.values), startAtMs: given.startAtMs }),
    turns: new CommandTurns(() => null),
    isListed: () => true,
    downgradeReason: () => null,
    nextRunOrder: () => 1,
    onChange() {},
    fetchedBy: () => null,
    onPackageComplete() {},
  });
  const begins = () => attempts;
  return { task, time, wall, zone, ports, begins, found, pins: () => pins };
}

describe("a task with a start time", () => {
  test("starts once, after the time and within the spread", () => {
    const { task, time, begins } = waitingTask();
    task.start();
    time.advance(startAtMs - 1);
    expect(begins()).toBe(0);
    time.advance(spreadMsMax + 1);
    expect(begins()).toBe(1);
  });

  test("starts within a minute when the clock is set forward past it", () => {
    const { task, time, wall, begins } = waitingTask();
    task.start();
    time.advance(1_000);
    wall.offsetMs = 86_400_000;
    time.advance(60_000);
    expect(begins()).toBe(1);
  });

  test("waits on when the clock is set back", () => {
    const { task, time, wall, begins } = waitingTask();
    task.start();
    time.advance(startAtMs - 1_000);
    wall.offsetMs = -3_600_000;
    time.advance(3_600_000);
    expect(begins()).toBe(0);
    time.advance(spreadMsMax + 1_000);
    expect(begins()).toBe(1);
  });

  test("starts at once when an administrator brings its start forward", () => {
    const { task, time, begins } = waitingTask();
    task.start();
    time.advance(1_000);
    expect(task.update({ ...task.row.task, startAtMs: 500 })).toBe(true);
    expect(begins()).toBe(1);
  });

  test("starts at a time of the device's own clock, and by the new one when its zone changes", () => {
    const { task, time, zone, begins } = waitingTask();
    task.row.task.startIsLocal = true;
    zone.offsetMs = -3_600_000;
    task.start();
    time.advance(startAtMs + 3_000_000);
    expect(begins()).toBe(0);
    zone.offsetMs = 0;
    time.advance(60_000);
    expect(begins()).toBe(1);
  });

  test("starts without delay where the setting has no jitter", () => {
    const { task, time, begins } = waitingTask();
    const { setting } = task.row.task;
    task.row.task.setting = { ...setting, values: { ...setting.values, startJitterMs: 0 } };
    task.start();
    time.advance(startAtMs);
    expect(begins()).toBe(1);
  });

  test("begins no attempt while it is paused, and begins when it is resumed", () => {
    const { task, time, begins } = waitingTask();
    task.start();
    task.update({ ...task.row.task, paused: true });
    time.advance(2 * startAtMs);
    expect([begins(), task.stage]).toMatchObject([0, { kind: "waiting", cause: "paused" }]);
    task.update({ ...task.row.task, paused: false });
    expect(begins()).toBe(1);
  });

  test("ends as cancelled when it expires before its start, without a word from the source", () => {
    const { task, time, begins } = waitingTask();
    task.row.task.expiresAtMs = startAtMs;
    task.start();
    time.advance(startAtMs + spreadMsMax);
    expect([begins(), task.row.life, task.row.reason]).toEqual([0, "cancelled", reason("expired")]);
  });

  test("sets no timer that exceeds 2^31 ms", () => {
    const { task, time, begins } = waitingTask();
    task.row.task.startAtMs = 8.6e15;
    let longestMs = 0;
    const { after } = time;
    time.after = (delayMs, run) => {
      longestMs = Math.max(longestMs, delayMs);
      return after.call(time, delayMs, run);
    };
    task.start();
    time.advance(600_000);
    expect(begins()).toBe(0);
    expect(longestMs).toBe(60_000);
  });

  test.each([
    ["in 1970", -startAtMs],
    ["years ahead", 1e11],
  ])("starts by the source's time on a device whose clock is %s", (_, offsetMs) => {
    const { task, time, wall, ports, begins } = waitingTask();
    wall.offsetMs = offsetMs;
    ports.place.answered = { sourceMs: 0, wallMs: offsetMs, nowMs: 0 };
    task.start();
    time.advance(startAtMs - 1);
    expect(begins()).toBe(0);
    time.advance(spreadMsMax + 1);
    expect(begins()).toBe(1);
  });
});

test("a task ends at its expiry by the device's clock when the source's one stands still", () => {
  const { task, time, ports, begins } = waitingTask();
  task.row.task.expiresAtMs = startAtMs - 1_000;
  time.advance(startAtMs);
  // The source keeps an order from its end, and its start from now.
  ports.place.answered = { sourceMs: 0, wallMs: startAtMs, nowMs: startAtMs };
  task.start();
  expect([begins(), task.row.life, task.row.reason]).toEqual([0, "cancelled", reason("expired")]);
});

test("a task that arrives after its start time starts at once", () => {
  const { task, time, begins } = waitingTask();
  time.advance(startAtMs + 1);
  task.start();
  expect(begins()).toBe(1);
});

test("a second start while an attempt begins has no effect", () => {
  const { task, time, begins } = waitingTask();
  task.row.task.startAtMs = 0;
  task.start();
  task.start();
  task.packageCompleted(task.row.task.packageId);
  time.advance(60_000);
  expect(begins()).toBe(1);
});

const spread = (
  subnetId: string,
  device: string,
  { aheadMs = 86_400_000, jitterMs = 60_000, taskId = 7 } = {},
): number => startSpreadMs(aheadMs, jitterMs, { taskId, device, subnetId });

test("an attempt ends when an error of the former session has begun another one", async () => {
  const { task, begins, found, pins } = waitingTask();
  task.row.task.startAtMs = 0;
  task.start();
  // An error of the former session does this, for example of a write that was under way.
  task.stage = { kind: "waiting", cause: "back-off", note: null, isBlocked: false };
  task.start();
  expect(begins()).toBe(2);
  found[0]!({ state: "complete", id: task.row.task.packageId });
  await Bun.sleep(0);
  expect([pins(), task.store]).toEqual([0, null]);
});

describe("the spread", () => {
  const subnets = Array.from({ length: 1_000 }, (_, index) => index.toString(16).padStart(16, "0"));
  test("distributes subnets over the jitter, and the devices of a subnet over two seconds", () => {
    const bySubnet = subnets.map((subnetId) => spread(subnetId, "aa"));
    for (let from = 0; from < 57_000; from += 5_700)
      expect(bySubnet.filter((ms) => ms >= from && ms < from + 5_700).length).toBeGreaterThan(60);
    const byDevice = subnets.map((device) => spread("aa", device));
    expect(Math.max(...byDevice) - Math.min(...byDevice)).toBeWithin(1_900, 2_001);
  });

  test.each([0, 1, 500, 5_000, 30_000, 3_600_000])("never exceeds a jitter of %i ms", (jitterMs) => {
    const all = subnets.map((each) => spread(each, each, { jitterMs, aheadMs: 1e12 }));
    expect(Math.max(...all)).toBeWithin(Math.floor(jitterMs * 0.9), jitterMs + 1);
    const ofOneSubnet = subnets.map((device) => spread("aa", device, { jitterMs, aheadMs: 1e12 }));
    expect(Math.max(...ofOneSubnet) - Math.min(...ofOneSubnet)).toBeLessThanOrEqual(
      Math.min(2_000, Math.ceil(jitterMs / 10)),
    );
  });

  test("is at most a twentieth of the time that the task arrived ahead", () => {
    const all = subnets.map((each) => spread(each, each, { aheadMs: 2_000 }));
    expect(Math.max(...all)).toBeLessThanOrEqual(100);
  });

  test("differs from task to task", () => {
    expect(new Set([1, 2, 3, 4].map((taskId) => spread("a", "b", { taskId }))).size).toBe(4);
  });
});

describe("a guard that pauses the device", () => {
  const values = { guardMetered: "pause" } as const;

  test("keeps a task from beginning, which begins with the second reading without the condition", () => {
    const conditions = { ...unknownConditions, isMetered: true };
    const { task, time, begins } = waitingTask(conditions, { startAtMs: 0, values });
    task.start();
    time.advance(100_000);
    expect(begins()).toBe(0);
    expect(task.progress()).toMatchObject({
      state: "waiting",
      reasons: [reason("guard-pause", { guards: "metered" })],
    });
    conditions.isMetered = false;
    task.onConditions();
    expect(begins()).toBe(0);
    task.onConditions();
    expect(begins()).toBe(1);
  });

  test("ends an attempt, and begins another one later", async () => {
    const conditions = { ...unknownConditions, isMetered: false };
    const { task, begins, found, pins } = waitingTask(conditions, { startAtMs: 0, values });
    task.start();
    expect(begins()).toBe(1);
    conditions.isMetered = true;
    task.onConditions();
    expect(task.stage).toMatchObject({ kind: "waiting", cause: "guard" });
    found[0]!({ state: "complete" });
    await Bun.sleep(0);
    expect(pins()).toBe(0);
    expect(begins()).toBe(1);
    task.update({ ...task.row.task, setting: taskForTest({ guardMetered: "allow" }).setting });
    expect(begins()).toBe(2);
  });

  test("lets an administrator's pause and its end count in any order", () => {
    const conditions = { ...unknownConditions, isMetered: true };
    const { task, begins } = waitingTask(conditions, { startAtMs: 0, values });
    task.start();
    task.update({ ...task.row.task, paused: true });
    expect(task.stage).toMatchObject({ cause: "paused" });
    conditions.isMetered = false;
    task.onConditions();
    task.onConditions();
    expect(begins()).toBe(0);
    task.update({ ...task.row.task, paused: false });
    expect(begins()).toBe(1);
  });
});
