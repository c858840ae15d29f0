/**
 * Devices that count in a task. A device that was not seen since before the task's creation is left
 * out until it comes back: it may be gone for good. A removed device counts where it had ended.
 */
import { endStates, successStates } from "../api/schema/common.ts";
import type {
  Catalog,
  DeviceFilter,
  DeviceKey,
  DeviceRecord,
  ScannedDevice,
  TaskRecord,
  TaskReport,
} from "./catalog/index.ts";
import type { ChangeHub } from "./change-hub.ts";
import type { Scope } from "../model/role.ts";
import { scanOf, type ScanStep } from "./matching-devices.ts";
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
type ScanContext = Pick<ReadContext, "catalog" | "acceptsWishes">;
export type ReadContext = {
  readonly catalog: Catalog;
  readonly changeHub: ChangeHub;
  readonly acceptsWishes: boolean;
  readonly nowMs: () => number;
};

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
export function taskDevicesIn(
  context: ReadContext,
  all: readonly TaskRecord[],
): (task: TaskRecord, devices: readonly DeviceRecord[]) => Promise<TaskDevices> {
  const { tasks } = context.catalog;
  const targets = all.map(({ target }) => target);
  return async (task, devices) => {
    const ids = devices.map(({ id }) => id);
    const targeting = await openTargeting(context, targets, ids);
    const reportsOf = (id: number): ReturnType<typeof tasks.reportsFor> => tasks.reportsFor(id, ids);
    const reports = await reportsOf(task.id);
    const higher = await higherTasksOf(targeting, task, all, reportsOf);
    const targeted = targeting.devicesOf(task, devices, reports);
    return { ...divided(context, task, targeted, reports), reports, higher };
  };
}

const batchRows = 500;
export type TaskDevicesPart = TaskDevices & {
  /** Devices that SQL selected, of which some are not of the task. */
  readonly rows: number;
};

/** Reads the devices of a task in parts, by their enrolment, in turns with requests. */
export async function* taskDeviceParts(
  context: ReadContext,
  task: TaskRecord,
  scope: Scope = [],
): AsyncGenerator<TaskDevicesPart> {
  const { deviceList, tasks } = context.catalog;
  const divide = taskDevicesIn(context, [task, ...higherTasks(task, await tasks.list())]);
  const filter = { ...taskFilter(context, task, scope), order: "enrolledAtMs", isDescending: false } as const;
  for (let after: DeviceKey | null = null; ;) {
    const batch: DeviceRecord[] = await deviceList.page({ ...filter, after, limit: batchRows });
    yield { ...(await divide(task, batch)), rows: batch.length };
    if (batch.length < batchRows) return;
    after = [batch.at(-1)!.enrolledAtMs, batch.at(-1)!.id];
    await Bun.sleep(0);
  }
}

export type TaskScanStep = Pick<ScanStep, "devices" | "range"> & {
  /** Ids of the devices of the task. */
  readonly targeted: ReadonlySet<string>;
};

/**
 * Scans the devices that are not removed for those of a task, also those that have done it and no
 * longer match its target.
 */
export async function* taskScan(context: ScanContext, task: TaskRecord): AsyncGenerator<TaskScanStep> {
  const { tasks } = context.catalog;
  const hasReports = (await tasks.counters([task.id])).size > 0;
  for await (const { devices, targeting, range } of scanOf(context, [task.target])) {
    const isFor = (device: ScannedDevice): boolean => targeting.isFor(task, device, undefined);
    // A task that every device matches needs no reports: most tasks of a large fleet.
    const needsReports = hasReports && (task.endedWhy === "complete" || !devices.every(isFor));
    const reports = needsReports ? await tasks.reportsFor(task.id, range) : new Map<string, TaskReport>();
    const found = devices.filter((device) => targeting.isFor(task, device, reports.get(device.id)));
    const present =
      task.endedAtMs === null ? found : await presentAtEnd(context, { task, devices: found, reports });
    yield { devices, range, targeted: new Set(present.map(({ id }) => id)) };
  }
}

/** Returns the devices that were devices of the task when it ended. */
async function presentAtEnd(
  { catalog }: ScanContext,
  { task, devices, reports }: Pick<TaskDevices, "reports"> & { task: TaskRecord; devices: ScannedDevice[] },
): Promise<ScannedDevice[]> {
  if (task.endedWhy !== "complete")
    return devices.filter(({ enrolledAtMs }) => enrolledAtMs <= task.endedAtMs!);
  const others = devices.filter(({ id }) => !reports.has(id)).map(({ id }) => id);
  const contacts = others.length === 0 ? new Map<string, number>() : await catalog.devices.lastSeen(others);
  const isAbsent = (id: string): boolean => isUnseen(task, { lastSeenAtMs: contacts.get(id) ?? Infinity });
  return devices.filter(({ id }) => reports.has(id) || isAbsent(id));
}

/** Returns the tasks that supersede this one, with their devices and what these reported. */
async function higherTasksOf(
  targeting: Targeting,
  task: TaskRecord,
  all: readonly TaskRecord[],
  reportsOf: (taskId: number) => ReturnType<Catalog["tasks"]["reportsFor"]>,
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
