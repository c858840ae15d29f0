/** State of a device in a task: the one it reported, unless the source knows better. */
import type { DeviceTaskState } from "../api/schema/common.ts";
import type { DeviceRecord, TaskRecord, TaskReport } from "./catalog/index.ts";
import { supersededBy, type HigherTask } from "./supersession.ts";

/** State of a device in a task, and the task that supersedes it there. */
export type DeviceState = { readonly state: DeviceTaskState; readonly higher: TaskRecord | null };

/** States that a device knows better than the source. */
const finalStates: ReadonlySet<DeviceTaskState> = new Set([
  "reboot-pending",
  "complete",
  "failed",
  "superseded",
  "running",
]);

/** Returns the state of a device in a task: the one it reported, unless the source knows better. */
export function stateOnDevice(
  task: TaskRecord,
  device: DeviceRecord,
  report: TaskReport | undefined,
  higher: readonly HigherTask[],
  nowMs: number,
): DeviceState {
  const state = report?.state ?? "pending";
  if (task.state === "cancelled" || finalStates.has(state)) return { state, higher: null };
  const found = supersededBy(report, higher, device, nowMs);
  if (found !== null) return { state: "superseded", higher: found };
  return { state: task.expiresAtMs <= nowMs ? "expired" : state, higher: null };
}
