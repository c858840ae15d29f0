/** Refusal of downgrades: no command runs for a version below the one that last ran. Pure. */
import type { AgentTask } from "../api/schema/agent.ts";
import { reason, type Reason } from "../model/reason.ts";
import { compareVersions } from "../model/version-order.ts";
import { digestOf, type TaskRow } from "./task-record.ts";

type Ran = Pick<TaskRow, "task" | "ranAs" | "commandDigest">;

/**
 * Equal for commands that replace each other: by name, or by equal text.
 * @param digest of the text, if the row has it no more
 */
export const commandKey = ({ packageName, run, command }: AgentTask, digest: string | null = null): string =>
  JSON.stringify([packageName.toLowerCase(), run, command === null ? digest : digestOf(command)]);

/**
 * Returns why the command of a task does not run, or null. A successful `uninstall` allows every
 * version again, and is itself always allowed.
 * @param rows tasks of this device
 */
export function downgradeReason(task: AgentTask, rows: Iterable<Ran>): Reason | null {
  if (task.action !== "run" || task.run === "uninstall") return null;
  const key = commandKey(task);
  const uninstall = commandKey({ ...task, run: "uninstall", command: null });
  let last: Ran | null = null;
  for (const row of rows) {
    const own = commandKey(row.task, row.commandDigest);
    if (row.ranAs > (last?.ranAs ?? 0) && (own === key || own === uninstall)) last = row;
  }
  if (last === null || last.task.run === "uninstall") return null;
  const { id, packageVersion, sequence } = last.task;
  // An order that was kept back must not undo what a later one has done.
  if (task.allowDowngrade && task.sequence >= sequence) return null;
  if (compareVersions(task.packageVersion, packageVersion) >= 0) return null;
  return reason("higher-version-ran", { version: packageVersion, taskId: id });
}
