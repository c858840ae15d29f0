/**
 * Decides what a device does with a task that the source lists: whether the row in its ledger is
 * that of the task, and whether the command may begin. Pure.
 */
import type { AgentTask } from "../api/schema/agent.ts";
import { isOtherTask, isRetried } from "./task-hold.ts";
import { begunTaskRow, newTaskRow, type TaskRow } from "./task-record.ts";

/**
 * - `new`: the device has no row of the id
 * - `other`: the row is that of another task, which had the id before
 * - `retried`: the task ended on this device, and begins again
 * - `known`: the row is that of the task
 */
export type Arrival = "new" | "other" | "retried" | "known";

/** @param known row of the task's id; undefined: the device has none */
export function arrivalOf(known: TaskRow | undefined, given: AgentTask): Arrival {
  if (known === undefined) return "new";
  if (isOtherTask(known.task, given)) return "other";
  return isRetried(known, given) ? "retried" : "known";
}

/** Signs that the command of a task without a row was begun on this device. */
type BegunSigns = {
  /** The device has reported that the command was begun. */
  readonly isReported: boolean;
  /** The ledger has a row of the task that cannot be read. */
  readonly isLost: boolean;
  /** The system has files of the command. */
  readonly hasTrace: () => boolean;
};

/**
 * Returns the first row of a task on this device. A task without a row is new, unless the ledger
 * was lost: then its command is not begun again.
 */
export function firstRowOf(given: AgentTask, arrival: Arrival, signs: BegunSigns): TaskRow {
  if (given.action === "pre-cache") return newTaskRow(given);
  const isBegun = signs.isLost || (arrival === "new" && (signs.isReported || signs.hasTrace()));
  return isBegun ? begunTaskRow(given) : newTaskRow(given);
}
