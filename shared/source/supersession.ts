/** Which task supersedes another one on a device: model/task-life.ts, applied to the catalog. */
import { firstStartMs, supersedes } from "../model/task-life.ts";
import { compareVersions } from "../model/version-order.ts";
import type { DeviceRecord, TaskRecord, TaskReport } from "./catalog/index.ts";

/** A task that may supersede another one, its devices, and what they reported. */
export type HigherTask = {
  readonly task: TaskRecord;
  readonly isFor: (device: DeviceRecord) => boolean;
  readonly hasCompleted: (deviceId: string) => boolean;
};

/**
 * Returns the tasks of `all` that supersede `task` on the devices that get both, the highest
 * version first.
 */
export const higherTasks = (task: TaskRecord, all: readonly TaskRecord[]): TaskRecord[] =>
  task.action !== "pre-cache"
    ? all
        .filter((other) => supersedes(other, task))
        .toSorted((a, b) => compareVersions(b.packageVersion, a.packageVersion))
    : [];

/**
 * Returns the task that supersedes another one on the device; null if none does. A device that has
 * begun the command of a task is done with it. A task that is paused or not yet started supersedes
 * none, unless the device has completed it.
 */
export function supersededBy(
  report: TaskReport | undefined,
  higher: readonly HigherTask[],
  device: DeviceRecord,
  nowMs: number,
): TaskRecord | null {
  if (report !== undefined && (report.hasBegun || report.state === "complete")) return null;
  const found = higher.find(
    ({ task, isFor, hasCompleted }) =>
      (task.state === "active" && firstStartMs(task) <= nowMs && isFor(device)) || hasCompleted(device.id),
  );
  return found?.task ?? null;
}
