/** Meaning of the end of a command, by exit code, time limit and setting. */
import type { CommandMeaning, CommandOutcome } from "../api/schema/common.ts";
import { reason, type Reason } from "../model/reason.ts";
import type { SettingValues } from "../model/setting.ts";
import type { CommandEnd, Commands } from "./ports.ts";
import type { TaskRow } from "./task-record.ts";

type TaskEnd = { readonly life: "complete" | "reboot-pending" | "failed"; readonly reason: Reason | null };

/** Upper bound on the line of output that a reason quotes, in characters. */
const lineCharactersMax = 200;

/** Returns what the end of a command means. A code of several lists has the first meaning. */
export function meaningOf(
  { exitCode, timedOut }: Pick<CommandEnd, "exitCode" | "timedOut">,
  { commandSuccessExitCodes, commandRebootExitCodes, commandBusyExitCodes }: SettingValues,
): CommandMeaning {
  if (timedOut) return "timed-out";
  if (exitCode === null) return "failed";
  if (commandSuccessExitCodes.includes(exitCode)) return "success";
  if (commandRebootExitCodes.includes(exitCode)) return "reboot-needed";
  return commandBusyExitCodes.includes(exitCode) ? "busy" : "failed";
}

/** Returns how the task ends; a busy command after its last run. */
export function endOfCommand(
  taskId: number,
  { meaning, exitCode, outputTail, runs }: CommandOutcome,
  { commandTimeoutMs: limitMs }: SettingValues,
): TaskEnd {
  const line = lastLineOf(outputTail);
  switch (meaning) {
    case "success":
      return { life: "complete", reason: null };
    case "reboot-needed":
      return { life: "reboot-pending", reason: reason("reboot-needed", { exitCode }) };
    case "already-there":
      return { life: "complete", reason: reason("already-there") };
    case "timed-out":
      return failed(reason("timed-out", { limitMs, line, taskId }));
    case "busy":
      return failed(reason("busy-to-the-end", { exitCode, runs, line, taskId }));
    case "failed":
      return failed(reason("command-failed", { exitCode, line, taskId }));
    case "unknown":
      return failed(reason("outcome-unknown"));
  }
}

/**
 * Returns how a task ends that is complete with the next start of the machine. Where the system
 * does not tell its starts, the task is complete at once, and the reason stays.
 * @param bootId boot of the machine now; null: not known
 */
export function afterReboot({ bootId: before, reason: why }: TaskRow, bootId: string | null): TaskEnd {
  if (before === null || bootId === null) return { life: "complete", reason: why };
  return before === bootId
    ? { life: "reboot-pending", reason: why }
    : { life: "complete", reason: reason("rebooted") };
}

/** Notes in the row that the machine was restarted. @returns whether it was awaited */
export async function settleReboot(row: TaskRow, commands: Pick<Commands, "bootId">): Promise<boolean> {
  if (row.life !== "reboot-pending") return false;
  const { life, reason: why } = afterReboot(row, await commands.bootId());
  if (life === "reboot-pending") return false;
  Object.assign(row, { life, reason: why, reported: false });
  return true;
}

const failed = (why: Reason): TaskEnd => ({ life: "failed", reason: why });

/** Returns the last line of an output that is not blank, without control characters. */
export function lastLineOf(output: string): string {
  const lines = output.split(/[\r\n]+/).map((line) =>
    // oxlint-disable-next-line no-control-regex -- they must not reach a terminal
    line.replaceAll(/\u001b\[[0-9;]*[A-Za-z]|[\u0000-\u001f\u007f-\u009f]/g, " ").trim(),
  );
  return (lines.findLast((line) => line !== "") ?? "").slice(0, lineCharactersMax);
}
