/** Begin of the command of a task on one device, over a clock and programs that the test sets. */
import { expect, test } from "bun:test";
import { reasonText } from "../model/reason.ts";
import type { AgentTask } from "../api/schema/agent.ts";
import { parseRunSchedule } from "../model/run-schedule.ts";
import type { SettingValues } from "../model/setting.ts";
import { TestClock } from "../simulation/testing.ts";
import { CommandTurns } from "./command-turns.ts";
import type { CommandEnd, CommandRequest, DevicePorts } from "./ports.ts";
import { newTaskRow, type TaskRow } from "./task-record.ts";
import { TaskRun } from "./task-run.ts";
import type { TaskStage } from "./task-stage.ts";
import { taskForTest } from "./testing.ts";

const minute = 60_000;
const line = { command: "./install", shell: null };

type Given = { readonly values?: Partial<SettingValues>; readonly task?: Partial<AgentTask> };

/** A device whose clock begins at midnight (UTC) of 1 January 1970, a Thursday. */
function deviceOf() {
  const time = new TestClock();
  const programs = new Set<string>();
  const user: { idleMs: number | null } = { idleMs: null };
  const begun: { taskId: number; key: string; atMs: number }[] = [];
  const ends: ((end: CommandEnd) => void)[] = [];
  let questions = 0;
  const ports = {
    clock: time,
    random: () => 0,
    place: { answered: null },
    timeZone: () => 0,
    activity: {
      ignoresCase: false,
      runningPrograms: async () => {
        questions++;
        return [...programs];
      },
      userIdleMs: async () => user.idleMs,
    },
    commands: {
      bootId: async () => "boot",
      run: ({ taskId, key }: CommandRequest) => {
        begun.push({ taskId, key: key.split(" ")[0]!, atMs: time.nowMs() });
        const { promise, resolve } = Promise.withResolvers<CommandEnd>();
        ends.push(resolve);
        return promise;
      },
    },
    disks: { onlyTask: null },
  } as unknown as DevicePorts;
  const rows = new Map<number, TaskRow>();
  const turns = new CommandTurns((id) => rows.get(id) ?? null);
  const saved: string[] = [];

  const add = (id: number, { values, task }: Given = {}, before: Partial<TaskRow> = {}) => {
    const row = { ...newTaskRow({ ...taskForTest(values), id, ...task }), ...before };
    rows.set(id, row);
    const shown: { stage: TaskStage; isPaused: boolean; life: string } = {
      stage: { kind: "verifying" },
      isPaused: false,
      life: "",
    };
    const run: TaskRun = new TaskRun({
      ports,
      turns,
      row,
      become: (stage) => (shown.stage = stage),
      save: () => void saved.push(JSON.stringify(row)),
      trySave: () => void saved.push(JSON.stringify(row)),
      end: (life) => {
        row.life = shown.life = life;
        turns.release(id);
      },
      fail: (error) => {
        throw error;
      },
      restart: () => {},
      findPackage: async () => {},
      servesOthers: () => false,
      isHeld: () => shown.isPaused,
      downgradeReason: () => null,
    });
    const start = (detect: typeof line | null = null) =>
      run.start({ kind: "line", folder: "/cache/tool", disk: null, line, detect });
    const note = () => (shown.stage.kind === "ready" ? reasonText(shown.stage.note) : shown.stage.kind);
    return { row, run, shown, start, note };
  };
  /** Advances the clock in steps, and lets promises settle after each. */
  const advance = async (byMs: number): Promise<void> => {
    for (let left = byMs; left > 0; left -= 10_000) {
      time.advance(Math.min(left, 10_000));
      await Bun.sleep(0);
    }
  };
  const endCommand = async (exitCode = 0): Promise<void> => {
    ends.shift()!({ exitCode, timedOut: false, outputTail: "" });
    await Bun.sleep(0);
  };
  return { time, programs, user, begun, saved, add, advance, endCommand, questions: () => questions };
}

const schedule = (text: string): Partial<SettingValues> => ({ runSchedule: parseRunSchedule(text) });

test("a command waits for its window, and a command that runs at its end continues", async () => {
  const { begun, add, advance, endCommand } = deviceOf();
  const task = add(1, { values: schedule("00:10-00:12") });
  task.start();
  expect(task.note()).toStartWith(
    "waits for its window: 00:10-00:12; the next one begins at 1970-01-01T00:10",
  );
  await advance(10 * minute - 1);
  expect(begun).toEqual([]);
  await advance(1);
  expect(begun).toEqual([{ taskId: 1, key: "run", atMs: 10 * minute }]);
  await advance(10 * minute);
  await endCommand();
  expect(task.shown.life).toBe("complete");
});

test("a task that waits for its window lets the command of a later task run", async () => {
  const { begun, add, advance, endCommand } = deviceOf();
  const first = add(1, { values: schedule("00:10-00:12") });
  const second = add(2);
  first.start();
  second.start();
  await advance(11 * minute);
  expect(begun.map(({ taskId }) => taskId)).toEqual([2]);
  expect(first.note()).toBe("waits for the command of task 2");
  // The window has passed when the turn of the task comes.
  await advance(2 * minute);
  await endCommand();
  expect([begun.length, first.note()]).toEqual([1, expect.stringContaining("1970-01-02T00:10")]);
});

test("detect is not run outside the window, and install not after it", async () => {
  const { begun, add, advance, endCommand } = deviceOf();
  const task = add(1, {
    values: schedule("00:10-00:12; 00:20-00:30"),
    task: { run: "install", command: null },
  });
  task.start(line);
  await advance(9 * minute);
  expect(begun).toEqual([]);
  await advance(minute);
  expect(begun.map(({ key }) => key)).toEqual(["detect"]);
  await advance(5 * minute);
  await endCommand(1);
  expect(task.note()).toContain("the next one begins at 1970-01-01T00:20");
  await advance(5 * minute);
  await endCommand(1);
  expect(begun.map(({ key, atMs }) => [key, atMs / minute])).toEqual([
    ["detect", 10],
    ["detect", 20],
    ["run", 20],
  ]);
});

test("a busy command is not repeated outside the window, and its turn passes on", async () => {
  const { begun, add, advance, endCommand } = deviceOf();
  const busy = add(1, { values: schedule("00:00-00:01; 01:00-02:00") });
  const other = add(2);
  busy.start();
  other.start();
  await Bun.sleep(0);
  await advance(50_000);
  await endCommand(75);
  await advance(20_000);
  expect(begun.map(({ taskId }) => taskId)).toEqual([1, 2]);
  await endCommand();
  await advance(60 * minute);
  expect(begun.map(({ taskId }) => taskId)).toEqual([1, 2, 1]);
});

test("a command begins at its deadline outside its window, whatever runs", async () => {
  const { begun, programs, user, add, advance } = deviceOf();
  programs.add("EXCEL.EXE");
  user.idleMs = 0;
  const task = { notWhile: ["EXCEL.EXE"], deadlineAtMs: 5 * minute };
  add(1, { values: { ...schedule("00:10-00:12"), runWhileUserActive: false }, task }).start();
  await advance(6 * minute);
  expect(begun).toEqual([{ taskId: 1, key: "run", atMs: 5 * minute }]);
});

test("a command waits while a program runs, without a turn, and begins soon after its end", async () => {
  const { begun, programs, add, advance, endCommand, questions } = deviceOf();
  programs.add("EXCEL.EXE");
  const task = add(1, { task: { notWhile: ["EXCEL.EXE"] } });
  task.start();
  await advance(10 * minute);
  expect([begun.length, task.note()]).toEqual([0, "waits while EXCEL.EXE runs"]);
  // Asked every 30 seconds.
  expect(questions()).toBeWithin(19, 23);
  add(2).start();
  await Bun.sleep(0);
  expect(begun.map(({ taskId }) => taskId)).toEqual([2]);
  await endCommand();
  programs.clear();
  await advance(30_000);
  expect(begun.map(({ taskId }) => taskId)).toEqual([2, 1]);
});

test("programs are not asked for without a task that waits for them", async () => {
  const { add, advance, questions } = deviceOf();
  add(1).start();
  add(2, { values: schedule("00:10-00:12"), task: { notWhile: ["x"] } }).start();
  await advance(9 * minute);
  expect(questions()).toBe(0);
});

test("deferrals are counted in the ledger, continue after a restart, and end", async () => {
  const { begun, programs, saved, add, advance } = deviceOf();
  programs.add("EXCEL.EXE");
  const values = { runDeferrals: 3, runDeferralMs: 10 * minute };
  const task = add(1, { values, task: { notWhile: ["EXCEL.EXE"] } });
  task.start();
  await advance(15 * minute);
  expect(task.note()).toBe("deferral 2 of 3, asks again at 1970-01-01T00:20:00.000Z; EXCEL.EXE runs");
  task.run.stop();
  const row = JSON.parse(saved.at(-1)!) as TaskRow;
  expect([row.deferrals, saved.length]).toEqual([2, 2]);
  const again = add(1, { values, task: { notWhile: ["EXCEL.EXE"] } }, row);
  again.start();
  await advance(10 * minute);
  expect(again.note()).toStartWith("deferral 3 of 3");
  await advance(5 * minute);
  expect(begun).toEqual([{ taskId: 1, key: "run", atMs: 30 * minute }]);
});

test("a command is put off while a user is active, and begins when the user was away", async () => {
  const { begun, user, add, advance } = deviceOf();
  user.idleMs = 0;
  const task = add(1, { values: { runWhileUserActive: false, userIdleMs: 5 * minute } });
  task.start();
  await advance(minute);
  expect([begun.length, task.note()]).toEqual([0, "waits while a user is active"]);
  user.idleMs = 5 * minute;
  await advance(minute);
  expect(begun).toHaveLength(1);
});

test("a change of the task at the source ends its wait at once", async () => {
  const { begun, add, advance } = deviceOf();
  const task = add(1, { values: schedule("00:10-00:12") });
  task.start();
  await advance(minute);
  task.row.task = { ...task.row.task, deadlineAtMs: 1 };
  task.run.onChanged();
  await Bun.sleep(0);
  expect(begun).toHaveLength(1);
});

test("a paused or withdrawn task begins nothing when its wait is over", async () => {
  const { begun, programs, add, advance } = deviceOf();
  programs.add("EXCEL.EXE");
  const paused = add(1, { task: { notWhile: ["EXCEL.EXE"] } });
  const asked = add(2, { task: { notWhile: ["EXCEL.EXE"] } });
  const cancelled = add(3, { values: schedule("00:10-00:12") });
  for (const task of [paused, cancelled]) task.start();
  await Bun.sleep(0);
  expect(paused.run.withdraw()).toBe(true);
  expect(cancelled.run.cancel(false)).toBe(false);
  // Paused while the programs are listed.
  asked.start();
  asked.shown.isPaused = true;
  expect(asked.run.withdraw()).toBe(false);
  programs.clear();
  await advance(11 * minute);
  expect(begun).toEqual([]);
  add(4).start();
  await Bun.sleep(0);
  expect(begun.map(({ taskId }) => taskId)).toEqual([4]);
});
