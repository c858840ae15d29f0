/** Decides how a task ends after its command: by exit code or time limit. Pure. */
import type { CommandOutcome } from "../api/schema/common.ts";
import type { SettingValues } from "../model/setting.ts";

type TaskEnd = { readonly life: "complete" | "failed"; readonly reason: string };

export function endOfCommand(
  taskId: number,
  { exitCode, timedOut }: CommandOutcome,
  { commandTimeoutMs, commandSuccessExitCodes }: SettingValues,
): TaskEnd {
  if (timedOut) {
    const seconds = commandTimeoutMs / 1_000;
    return { life: "failed", reason: `the command ran longer than ${seconds} s and was ended` };
  }
  if (exitCode !== null && commandSuccessExitCodes.includes(exitCode))
    return { life: "complete", reason: "" };
  return {
    life: "failed",
    reason: `the command ended with exit code ${exitCode ?? "none (killed)"}: its output is in tasks/${taskId}.log`,
  };
}
