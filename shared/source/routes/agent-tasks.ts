/** Assignment of tasks to devices, and the form of a task that a device receives. */
import type { Catalog, DeviceRecord, PackageRecord, SettingRecord, TaskRecord } from "../catalog/index.ts";
import type { AssignedTask } from "../../api/schema/agent.ts";
import { successStates, type DeviceTaskState } from "../../api/schema/common.ts";
import { ApiError } from "../api-error.ts";
import type { SourceContext } from "../context.ts";
import { openTargeting } from "../targeting.ts";
import { higherTasks, supersededBy } from "../supersession.ts";

/** @throws ApiError 404 for an unknown task */
export async function taskById(catalog: Catalog, id: number): Promise<TaskRecord> {
  const task = await catalog.tasks.byId(id);
  if (task === null) throw new ApiError(404, `No task ${id}`, "task list shows all");
  return task;
}

/**
 * Returns the task that a device's request means.
 *
 * @throws ApiError 404 for an unknown task, 409 for another one that has its id
 */
export async function taskNamed(
  catalog: Catalog,
  { taskId, epoch }: { readonly taskId: number; readonly epoch: string },
): Promise<TaskRecord> {
  const task = await taskById(catalog, taskId);
  if (epoch === "" || task.epoch === "" || task.epoch === epoch) return task;
  throw new ApiError(409, `Task ${taskId} is another one since the source was restored`, "check in again");
}

/** Returns the devices of a task, also those that have done it and no longer match its target. */
export async function targetedDevices(
  context: Pick<SourceContext, "catalog" | "acceptsWishes">,
  task: TaskRecord,
): Promise<DeviceRecord[]> {
  const { devices, tasks } = context.catalog;
  const targeting = await openTargeting(context, [task.target]);
  return targeting.devicesOf(task, await devices.list(), await tasks.reportsOf(task.id));
}

async function settingOf(catalog: Catalog, name: string): Promise<SettingRecord> {
  const found = (await catalog.settings.byName(name)) ?? (await catalog.settings.byName("default"));
  return found!;
}

const epochOf = async (catalog: Catalog, taskId: number | null): Promise<string> =>
  taskId === null ? "" : ((await catalog.tasks.byId(taskId))?.epoch ?? "");

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

const assignmentOf = (
  task: TaskRecord,
  published: PackageRecord,
  setting: SettingRecord,
): Omit<AssignedTask, "afterEpoch" | "attempt"> => ({
  id: task.id,
  packageId: task.packageId,
  packageName: task.packageName,
  packageVersion: task.packageVersion,
  action: task.action,
  epoch: task.epoch,
  createdAtMs: task.createdAtMs,
  command: task.command,
  run: task.run,
  startAtMs: task.startAtMs,
  startIsLocal: task.startIsLocal,
  deadlineAtMs: task.deadlineAtMs,
  notWhile: [...task.notWhile],
  after: task.after,
  expiresAtMs: task.expiresAtMs,
  paused: task.state === "paused",
  allowDowngrade: task.allowDowngrade,
  taskKey: base64(task.taskKey),
  packageKey: base64(published.packageKey),
  setting: { name: setting.name, version: setting.version },
});

/**
 * Returns the open tasks of a device that it has not completed and that no other one supersedes,
 * and the settings that they name. Failed tasks are included: the agent knows whether an attempt
 * has ended.
 *
 * @param serving tasks that the device has completed and still serves; included while they are open
 */
export async function agentTasksOf(
  context: Pick<SourceContext, "catalog" | "acceptsWishes">,
  device: DeviceRecord,
  serving: readonly number[],
  nowMs: number,
): Promise<{ tasks: AssignedTask[]; settings: SettingRecord[]; begun: number[] }> {
  const { catalog } = context;
  const reports = await catalog.tasks.reportsBy(device.id);
  const isIn = (states: ReadonlySet<DeviceTaskState>, { id }: TaskRecord): boolean =>
    states.has(reports.get(id)?.state ?? "pending");
  const hasCompleted = (task: TaskRecord): boolean => reports.get(task.id)?.state === "complete";
  const current = (await catalog.tasks.open()).filter((task) => task.expiresAtMs > nowMs);
  const targets = current.map(({ target }) => target);
  const targeting = await openTargeting(context, targets, device.id);
  const open = current.filter((task) => targeting.isFor(task, device, reports.get(task.id)));
  const isWaiting = open.some((task) => task.action !== "pre-cache" && !hasCompleted(task));
  const others = isWaiting ? [...open, ...(await catalog.tasks.endedOn(device.id))] : open;
  const tasks: AssignedTask[] = [];
  const settings = new Map<string, SettingRecord>();
  for (const task of open) {
    if (hasCompleted(task) && !serving.includes(task.id)) continue;
    const higher = higherTasks(task, others).map((other) => ({
      task: other,
      isFor: () => open.includes(other),
      hasCompleted: () => isIn(successStates, other),
    }));
    const report = reports.get(task.id);
    if (report?.state === "superseded") continue;
    if (supersededBy(report, higher, device, nowMs) !== null) continue;
    const published = await catalog.packages.byId(task.packageId);
    if (published === null) continue;
    const setting = await settingOf(catalog, task.settingName);
    if (setting.name !== "default") settings.set(setting.name, setting);
    const ids = { afterEpoch: await epochOf(catalog, task.after), attempt: report?.attempt ?? 1 };
    tasks.push({ ...assignmentOf(task, published, setting), ...ids });
  }
  const begun = tasks.filter(({ id }) => reports.get(id)?.hasBegun).map(({ id }) => id);
  return { tasks, settings: [...settings.values()], begun };
}
