/**
 * Devices that count in a task. A device that was not seen since before the task's creation is left
 * out until it comes back: it may be gone for good. A removed device counts where it had ended.
 */
import { endStates } from "../api/schema/common.ts";
import type { Catalog, DeviceRecord, TaskRecord, TaskReport } from "./catalog/index.ts";
import { reconnectMs } from "./change-hub.ts";
import type { SourceContext } from "./context.ts";
import { targetedDevices } from "./routes/agent-tasks.ts";

export type TaskDevices = {
  readonly counted: readonly DeviceRecord[];
  /** Targeted, and not seen since before the task's creation. */
  readonly absent: readonly DeviceRecord[];
};

/** Returns all devices that a task may count: those of the source, and those that were removed. */
export const allDevices = async ({ devices, life }: Catalog): Promise<DeviceRecord[]> => [
  ...(await devices.list()),
  ...(await life.removed()),
];

type Presence = Pick<SourceContext["changeHub"], "isConnected" | "isSettled">;

/**
 * Returns the devices of a task. Nobody is absent while the devices connect again after a restart
 * of the source.
 *
 * @param reports last reports of the task, by device
 */
export function taskDevices(
  task: TaskRecord,
  all: readonly DeviceRecord[],
  reports: ReadonlyMap<string, TaskReport>,
  presence: Presence,
  nowMs: number,
): TaskDevices {
  const targeted = targetedDevices(task, all).filter((device) =>
    isOfTask(task, device, reports.get(device.id)),
  );
  const isCounted = ({ id, lastSeenAtMs }: DeviceRecord): boolean =>
    reports.has(id) || lastSeenAtMs >= task.createdAtMs - reconnectMs || presence.isConnected(id);
  if (!presence.isSettled(nowMs)) return { counted: targeted, absent: [] };
  const { counted = [], absent = [] } = Object.groupBy(targeted, (device) =>
    isCounted(device) ? "counted" : "absent",
  );
  return { counted, absent };
}

/**
 * Whether a removed device belongs to the history of the task. The machines of a cloned device
 * report again under their new ids.
 */
function isOfTask(task: TaskRecord, { life }: DeviceRecord, report: TaskReport | undefined): boolean {
  if (life.state !== "removed") return true;
  if (task.endedAtMs !== null && task.endedAtMs < life.atMs) return true;
  return life.why !== "cloned" && report !== undefined && endStates.has(report.state);
}
