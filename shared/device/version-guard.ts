/**
 * Guard of commands: none runs for a version below the one that last ran, and none of an order that
 * is older than the one that last ran. Otherwise a source could keep an order back, and undo with
 * it what a later one has done. Pure.
 */
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

const isUninstall = ({ run }: AgentTask): boolean => run === "uninstall";

/** Whether a command and one that ran undo or repeat each other: the later order of both counts. */
function replaces(one: AgentTask, { task: other, commandDigest }: Ran): boolean {
  if (one.action === "upgrade" || other.action === "upgrade") return one.action === other.action;
  if (one.action === "image" || other.action === "image") return one.action === other.action;
  if (one.packageName.toLowerCase() !== other.packageName.toLowerCase()) return false;
  return isUninstall(one) || isUninstall(other) || commandKey(one) === commandKey(other, commandDigest);
}

/** Whether a command would do again what the newer one did: two tasks may ask for the same. */
const isRepetition = (one: AgentTask, { task: other, commandDigest }: Ran): boolean =>
  one.packageId === other.packageId && commandKey(one) === commandKey(other, commandDigest);

/** Time for which an order was meant: it may have been signed long before its start. */
const orderTimeMs = ({ sequence, startAtMs }: AgentTask): number => Math.max(sequence, startAtMs);

/** Returns the task whose order is newer than the one of `task`, and has run; null: none. */
function newerRun(task: AgentTask, rows: readonly Ran[]): AgentTask | null {
  const isNewer = (row: Ran): boolean => {
    const { task: other, ranAs } = row;
    return (
      ranAs > 0 &&
      other.id !== task.id &&
      other.sequence > 0 &&
      replaces(task, row) &&
      !isRepetition(task, row) &&
      orderTimeMs(other) > orderTimeMs(task)
    );
  };
  return task.sequence === 0 ? null : (rows.find(isNewer)?.task ?? null);
}

/**
 * Returns why the command of a task does not run, or null. A successful `uninstall` allows every
 * version again, and is itself allowed at any version.
 * @param given tasks of this device
 */
export function downgradeReason(task: AgentTask, given: Iterable<Ran>): Reason | null {
  if (task.action === "pre-cache") return null;
  const rows = [...given];
  const newer = newerRun(task, rows);
  if (newer !== null) return reason("newer-order-ran", { version: newer.packageVersion, taskId: newer.id });
  if (task.action === "upgrade" || task.action === "image" || isUninstall(task) || task.allowDowngrade)
    return null;
  const key = commandKey(task);
  const uninstall = commandKey({ ...task, run: "uninstall", command: null });
  let last: Ran | null = null;
  for (const row of rows) {
    const own = commandKey(row.task, row.commandDigest);
    if (row.ranAs > (last?.ranAs ?? 0) && (own === key || own === uninstall)) last = row;
  }
  if (last === null || isUninstall(last.task)) return null;
  const { id, packageVersion } = last.task;
  if (compareVersions(task.packageVersion, packageVersion) >= 0) return null;
  return reason("higher-version-ran", { version: packageVersion, taskId: id });
}
