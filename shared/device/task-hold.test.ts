import { expect, test } from "bun:test";
import type { CommandOutcome } from "../api/schema/common.ts";
import type { TaskLife } from "./task-record.ts";
import { newTaskRow } from "./task-record.ts";
import { acknowledge, holdOf, isRetried } from "./task-hold.ts";
import { taskForTest } from "./testing.ts";

const outcome: CommandOutcome = {
  exitCode: null,
  timedOut: false,
  outputTail: "",
  meaning: "failed",
  runs: 1,
  startedAtMs: 1,
  endedAtMs: 2,
};

test("a task is held while it is paused, and from its expiry on", () => {
  const task = { ...taskForTest(), expiresAtMs: 1_000 };
  expect(holdOf(task, 999)).toBeNull();
  expect(holdOf({ ...task, paused: true }, 999)).toMatchObject({ kind: "paused" });
  expect(holdOf({ ...task, paused: true }, 1_000)).toMatchObject({ kind: "expired" });
  expect(holdOf({ ...task, expiresAtMs: null }, 1e15)).toBeNull();
});

test.each<[what: string, life: TaskLife, hasRun: boolean, attempt: number, expected: boolean]>([
  ["failed, and whose attempt is raised", "failed", true, 2, true],
  ["failed, and is listed again", "failed", true, 1, false],
  ["is complete, and is listed again", "complete", true, 1, false],
  ["was withdrawn before its command, and is listed again", "cancelled", false, 1, true],
  ["was withdrawn while its command ran, and is listed again", "cancelled", true, 1, false],
  ["is open, and whose attempt is raised", "open", false, 2, false],
  ["runs, and whose attempt is raised", "running", false, 2, false],
])("a task that %s begins again: %#", (_, life, hasRun, attempt, expected) => {
  const row = { ...newTaskRow(taskForTest()), life, command: hasRun ? outcome : null };
  expect(isRetried(row, { ...taskForTest(), attempt })).toBe(expected);
});

test("a complete task takes a raised attempt without beginning again, so that its report counts", () => {
  const row = { ...newTaskRow({ ...taskForTest(), attempt: 1 }), life: "complete" as const };
  const raised = { ...taskForTest(), attempt: 2 };
  expect(isRetried(row, raised)).toBe(false);
  acknowledge(row, raised);
  expect(row.task.attempt).toBe(2);
});
