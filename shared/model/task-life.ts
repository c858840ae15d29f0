/**
 * Life of a task at the source: its states, its end, and which task supersedes which. Pure.
 *
 * Stored are `active`, `paused`, `cancelled` and `ended` with a reason. People see an active task
 * as `scheduled` or `running`, and a task that ended complete as `done`.
 */
import { firstZoneMs, lastZoneMs } from "./time-zone.ts";
import { compareVersions } from "./version-order.ts";

export const taskStates = ["active", "paused", "cancelled", "ended"] as const;
export type TaskState = (typeof taskStates)[number];
export const endReasons = [
  "complete", // on every targeted device
  "expired", // no device may begin it any more
  "superseded", // every targeted device is complete, or runs a higher version instead
] as const;
export type EndReason = (typeof endReasons)[number];
export const shownTaskStates = ["scheduled", "running", "paused", "done", "ended", "cancelled"] as const;
export type ShownTaskState = (typeof shownTaskStates)[number];

/** Time from the start of a task to its expiry, unless the administrator gives another one. */
export const taskExpiryMs = 90 * 86_400_000;

/**
 * Start of a task. `startIsLocal`: `startAtMs` is a time of each device's own clock, written as if
 * it were UTC.
 */
export type TaskStart = { readonly startAtMs: number; readonly startIsLocal: boolean };

/** Returns the start of a task in UTC in the first time zone of the world that reaches it. */
export const firstStartMs = ({ startAtMs, startIsLocal }: TaskStart): number =>
  startIsLocal ? Math.max(0, startAtMs - firstZoneMs) : startAtMs;

/** Returns the start of a task in UTC in the last time zone of the world that reaches it. */
export const lastStartMs = ({ startAtMs, startIsLocal }: TaskStart): number =>
  startIsLocal ? startAtMs - lastZoneMs : startAtMs;

export function shownState(
  task: TaskStart & { readonly state: TaskState; readonly endedWhy: EndReason | null },
  nowMs: number,
): ShownTaskState {
  if (task.state === "active") return firstStartMs(task) > nowMs ? "scheduled" : "running";
  if (task.state === "ended") return task.endedWhy === "complete" ? "done" : "ended";
  return task.state;
}

/** Parts of a task that decide whether it supersedes another one. */
export type Superseding = {
  readonly id: number;
  readonly packageName: string;
  readonly packageVersion: string;
  readonly action: string;
  readonly command: string | null;
  readonly run: string | null;
  readonly allowDowngrade: boolean;
};

/** Two upgrades do the same, and so do two tasks that run the same command. */
function doesTheSame(a: Superseding, b: Superseding): boolean {
  if (a.action === "upgrade" || b.action === "upgrade") return a.action === b.action;
  // Two images may be for two disks.
  if (a.action === "image" || b.action === "image") return false;
  return a.run === null ? a.command !== null && a.command === b.command : a.run === b.run;
}

/**
 * Returns whether `higher` supersedes `task` on a device that gets both and has not begun `task`:
 * it runs the same command of the same package in a higher version, or both upgrade the agent. A
 * task that may downgrade yields only to a later task. A task that pre-caches supersedes none.
 */
export const supersedes = (higher: Superseding, task: Superseding): boolean =>
  doesTheSame(higher, task) &&
  higher.packageName.toLowerCase() === task.packageName.toLowerCase() &&
  compareVersions(higher.packageVersion, task.packageVersion) > 0 &&
  (!task.allowDowngrade || higher.id > task.id);
