/** Meaning of the end of a command, by exit code, time limit and setting. Pure. */
import type { CommandMeaning, CommandOutcome } from "../api/schema/common.ts";
import type { SettingValues } from "../model/setting.ts";
import type { CommandEnd } from "./ports.ts";

type TaskEnd = { readonly life: "complete" | "failed"; readonly reason: string };

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
  { commandTimeoutMs }: SettingValues,
): TaskEnd {
  const line = lastLineOf(outputTail);
  const code = `the command ended with exit code ${exitCode ?? "none (killed)"}`;
  const output = line === "" ? ": it has written nothing" : `: "${line}" (output: tasks/${taskId}.log)`;
  switch (meaning) {
    case "success":
      return { life: "complete", reason: "" };
    case "reboot-needed":
      return { life: "complete", reason: `reboot needed: ${code}` };
    case "already-there":
      return { life: "complete", reason: "already there: the command detect ended with exit code 0" };
    case "timed-out":
      return failed(`the command ran longer than ${commandTimeoutMs / 1_000} s and was ended${output}`);
    case "busy":
      return failed(`${code}, which means busy, at each of ${runs} runs${output}`);
    case "failed":
      return failed(`${code}${output}`);
    case "unknown":
      return failed(
        "the outcome of the command is unknown: the machine was restarted or the command was killed while it ran",
      );
  }
}

const failed = (reason: string): TaskEnd => ({ life: "failed", reason });

/** Returns the last line of an output that is not blank, without control characters. */
export function lastLineOf(output: string): string {
  const lines = output.split(/[\r\n]+/).map((line) =>
    // oxlint-disable-next-line no-control-regex -- they must not reach a terminal
    line.replaceAll(/\u001b\[[0-9;]*[A-Za-z]|[\u0000-\u001f\u007f-\u009f]/g, " ").trim(),
  );
  return (lines.findLast((line) => line !== "") ?? "").slice(0, lineCharactersMax);
}
