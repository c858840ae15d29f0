import { describe, expect, test } from "bun:test";
import { reason, reasonsText } from "../model/reason.ts";
import { newTaskRow } from "./task-record.ts";
import { taskForTest } from "./testing.ts";
import type { CommandMeaning, CommandOutcome } from "../api/schema/common.ts";
import { defaultSettingValues } from "../model/setting.ts";
import { afterReboot, endOfCommand, lastLineOf, meaningOf } from "./command-outcome.ts";

const own = {
  ...defaultSettingValues,
  commandSuccessExitCodes: [0, 5, 3_010],
  commandRebootExitCodes: [194, 3_010],
  commandBusyExitCodes: [5, 100, 194],
};
const none = { ...own, commandSuccessExitCodes: [7], commandRebootExitCodes: [], commandBusyExitCodes: [] };
const settings = { default: defaultSettingValues, own, none };

test.each<[exitCode: number | null, setting: keyof typeof settings, meaning: CommandMeaning]>([
  [0, "default", "success"],
  [1, "default", "failed"],
  [75, "default", "busy"],
  [100, "default", "failed"],
  [1_618, "default", "busy"],
  [194, "default", "reboot-needed"],
  [1_641, "default", "reboot-needed"],
  [3_010, "default", "reboot-needed"],
  [null, "default", "failed"],
  [100, "own", "busy"],
  [1_618, "own", "failed"],
  [194, "own", "reboot-needed"],
  [3_010, "own", "success"],
  [5, "own", "success"],
  [0, "none", "failed"],
  [7, "none", "success"],
  [75, "none", "failed"],
  [3_010, "none", "failed"],
])("exit code %p with the setting %p means %p", (exitCode, setting, meaning) => {
  expect(meaningOf({ exitCode, timedOut: false }, settings[setting])).toBe(meaning);
  expect(meaningOf({ exitCode, timedOut: true }, settings[setting])).toBe("timed-out");
});

const outcome = (meaning: CommandMeaning, exitCode: number | null, outputTail = ""): CommandOutcome => ({
  meaning,
  exitCode,
  outputTail,
  timedOut: meaning === "timed-out",
  runs: 10,
  startedAtMs: 1,
  endedAtMs: 2,
});

describe("a task ends", () => {
  test.each<[CommandOutcome, life: string, words: string]>([
    [outcome("success", 0, "done"), "complete", ""],
    [
      outcome("reboot-needed", 3_010),
      "reboot-pending",
      "reboot needed: the command ended with exit code 3010",
    ],
    [outcome("already-there", 0), "complete", "already there: the command detect ended with exit code 0"],
    [
      outcome("failed", 1, "one\nE: no licence \n\n"),
      "failed",
      'the command ended with exit code 1: "E: no licence" (output: tasks/7.log)',
    ],
    [
      outcome("failed", null),
      "failed",
      "the command ended with exit code none (killed): it has written nothing",
    ],
    [
      outcome("busy", 1_618, "locked"),
      "failed",
      'the command ended with exit code 1618, which means busy, at each of 10 runs: "locked" (output: tasks/7.log)',
    ],
    [
      outcome("timed-out", null, "step 3"),
      "failed",
      'the command ran longer than 3600 s and was ended: "step 3" (output: tasks/7.log)',
    ],
    [
      outcome("unknown", null),
      "failed",
      "the outcome of the command is unknown: the machine was restarted or the command was killed while it ran",
    ],
  ])("%j: %s", (result, life, words) => {
    const end = endOfCommand(7, result, defaultSettingValues);
    expect([end.life as string, reasonsText(end.reason ? [end.reason] : [])]).toEqual([life, words]);
  });
});

test.each([
  ["", ""],
  ["\n \r\n", ""],
  ["a\nb", "b"],
  ["a\r\nb\r\n\r\n", "b"],
  ["10 %\r20 %\r", "20 %"],
  ["\u001b[31mred\u001b[0m\u0007", "red"],
  ["x".repeat(500), "x".repeat(200)],
])("the last line of %j is %j", (output, line) => {
  expect(lastLineOf(output)).toBe(line);
});

test.each<[atRun: string | null, now: string | null, life: string, code: string]>([
  ["a", "a", "reboot-pending", "reboot-needed"],
  ["a", "b", "complete", "rebooted"],
  [null, "b", "complete", "reboot-needed"],
  ["a", null, "complete", "reboot-needed"],
])("a command that ran in the boot %p, seen in %p, ends %s", (bootId, now, life, code) => {
  const row = { ...newTaskRow(taskForTest()), bootId, reason: reason("reboot-needed", { exitCode: 3_010 }) };
  const end = afterReboot(row, now);
  expect([end.life as string, end.reason?.code]).toEqual([life, code]);
});
