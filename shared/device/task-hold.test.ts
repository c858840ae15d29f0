import { expect, test } from "bun:test";
import type { TaskLife } from "./task-record.ts";
import { newTaskRow } from "./task-record.ts";
import { holdOf, isRetried, killedCommand } from "./task-hold.ts";
import { taskForTest } from "./testing.ts";

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
  const row = { ...newTaskRow(taskForTest()), life, command: hasRun ? killedCommand : null };
  expect(isRetried(row, { ...taskForTest(), attempt })).toBe(expected);
});
