/**
 * Devices that count in a task. A device that was not seen since before the task's creation is left
 * out until it comes back: it may be gone for good. A removed device counts where it had ended.
 */
import { endStates, successStates } from "../api/schema/common.ts";
import type { Catalog, DeviceFilter, DeviceRecord, TaskRecord, TaskReport } from "./catalog/index.ts";
import type { ChangeHub } from "./change-hub.ts";
import type { Scope } from "../model/role.ts";
import { higherTasks, type HigherTask } from "./supersession.ts";
import { isUnseen, openTargeting, targetIn, type Targeting } from "./targeting.ts";

/** Devices of a task, what they reported, and the tasks that supersede it. */
export type TaskDevices = {
  readonly counted: readonly DeviceRecord[];
  /** Targeted, and not seen since before the task's creation. */
  readonly absent: readonly DeviceRecord[];
  readonly reports: ReadonlyMap<string, TaskReport>;
  readonly higher: readonly HigherTask[];
};
export type ReadContext = {
  readonly catalog: Catalog;
  readonly changeHub: ChangeHub;
  readonly acceptsWishes: boolean;
  readonly nowMs: () => number;
};

/** Returns the function that reads the devices of tasks; what it reads once serves all of them. */
export async function taskDevicesReader(
  context: ReadContext,
  all: readonly TaskRecord[],
): Promise<(task: TaskRecord) => Promise<TaskDevices>> {
  const { devices, life, tasks } = context.catalog;
  const targeting = await openTargeting(
    context,
    all.map(({ target }) => target),
  );
  const list = [...(await devices.list()), ...(await life.removed())];
  const read = new Map<number, ReturnType<typeof tasks.reportsOf>>();
  const reportsOf: typeof tasks.reportsOf = (id) => {
    const reports = read.get(id) ?? tasks.reportsOf(id);
    read.set(id, reports);
    return reports;
  };
  return async (task) => {
    const reports = await reportsOf(task.id);
    const higher = await higherTasksOf(targeting, task, all, reportsOf);
    const targeted = targeting.devicesOf(task, list, reports);
    return { ...divided(context, task, targeted, reports), reports, higher };
  };
}

/** Returns the part of a filter that SQL knows of the devices of a task. */
export const taskFilter = (
  { acceptsWishes }: Pick<ReadContext, "acceptsWishes">,
  { id, target, endedAtMs }: TaskRecord,
  scope: Scope,
): DeviceFilter => ({
  scope,
  targets: [targetIn(target)].filter((one) => one !== null),
  acceptsWishes,
  ofTask: { id, endedAtMs },
});

/**
 * Returns the function that divides given devices of a task.
 * @param all the task, and those that supersede it
 */
export async function taskDevicesIn(
  context: ReadContext,
  all: readonly TaskRecord[],
): Promise<(task: TaskRecord, devices: readonly DeviceRecord[]) => Promise<TaskDevices>> {
  const { tasks } = context.catalog;
  const targeting = await openTargeting(
    context,
    all.map(({ target }) => target),
  );
  return async (task, devices) => {
    const ids = devices.map(({ id }) => id);
    const reportsOf = (id: number): ReturnType<typeof tasks.reportsOf> => tasks.reportsFor(id, ids);
    const reports = await reportsOf(task.id);
    const higher = await higherTasksOf(targeting, task, all, reportsOf);
    const targeted = targeting.devicesOf(task, devices, reports);
    return { ...divided(context, task, targeted, reports), reports, higher };
  };
}

/** Returns the tasks that supersede this one, with their devices and what these reported. */
async function higherTasksOf(
  targeting: Targeting,
  task: TaskRecord,
  all: readonly TaskRecord[],
  reportsOf: Catalog["tasks"]["reportsOf"],
): Promise<HigherTask[]> {
  return Promise.all(
    higherTasks(task, all).map(async (other) => {
      const reports = await reportsOf(other.id);
      return {
        task: other,
        isFor: (device) => targeting.isFor(other, device, reports.get(device.id)),
        hasCompleted: (deviceId) => successStates.has(reports.get(deviceId)?.state ?? "pending"),
      };
    }),
  );
}

/**
 * Divides the targeted devices of a task. No device is absent while the devices connect again after
 * a restart of the source.
 */
function divided(
  { changeHub, nowMs }: ReadContext,
  task: TaskRecord,
  targeted: readonly DeviceRecord[],
  reports: ReadonlyMap<string, TaskReport>,
): Pick<TaskDevices, "counted" | "absent"> {
  const devices = targeted.filter((device) => isOfTask(task, device, reports.get(device.id)));
  if (!changeHub.isSettled(nowMs())) return { counted: devices, absent: [] };
  const { counted = [], absent = [] } = Object.groupBy(devices, (device) =>
    !reports.has(device.id) && isUnseen(task, device) && !changeHub.isConnected(device.id)
      ? "absent"
      : "counted",
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
