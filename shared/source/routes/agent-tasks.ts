/** Assignment of tasks to devices, and the form of a task that a device receives. */
import type {
  Catalog,
  DeviceRecord,
  PackageKeys,
  PackageRecord,
  TaskRecord,
  TaskReport,
} from "../catalog/index.ts";
import type { AgentSetting, AssignedTask } from "../../api/schema/agent.ts";
import { successStates, type DeviceTaskState } from "../../api/schema/common.ts";
import { resolveSetting, type ResolvedSetting } from "../../model/setting-inheritance.ts";
import { ApiError } from "../api-error.ts";
import type { SourceContext } from "../context.ts";
import { overridingSetting, ownSettingOf, targetsOf } from "../setting-reach.ts";
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

const toAgent = ({ name, version, parents, values }: ResolvedSetting): AgentSetting => ({
  name,
  version,
  parents: [...parents],
  values,
});

const epochOf = async (catalog: Catalog, taskId: number | null): Promise<string> =>
  taskId === null ? "" : ((await catalog.tasks.byId(taskId))?.epoch ?? "");

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** Returns a task as its device receives it. */
function assigned(
  task: TaskRecord,
  published: PackageRecord,
  own: {
    readonly setting: ResolvedSetting;
    readonly overrides: boolean;
    readonly report: TaskReport | undefined;
    readonly afterEpoch: string;
    readonly keys: PackageKeys | undefined;
  },
): AssignedTask {
  const { setting, overrides, report, afterEpoch, keys } = own;
  return {
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
    afterEpoch,
    expiresAtMs: task.expiresAtMs,
    attempt: report?.attempt ?? 1,
    paused: task.state === "paused",
    allowDowngrade: task.allowDowngrade,
    taskKey: base64(task.taskKey),
    packageKey: base64(keys?.key ?? published.packageKey),
    packageKeyBefore: keys?.keyBefore ? base64(keys.keyBefore) : null,
    setting: { name: setting.name, version: setting.version },
    overrides,
  };
}

/**
 * Returns the open tasks of a device that it has not completed and that no other one supersedes,
 * the device's own setting, and the others that the tasks name. Failed tasks are included: the
 * agent knows whether an attempt has ended.
 *
 * @param serving tasks that the device has completed and still serves; included while they are open
 */
export async function agentTasksOf(
  context: Pick<SourceContext, "catalog" | "acceptsWishes">,
  device: DeviceRecord,
  serving: readonly number[],
  nowMs: number,
): Promise<{
  ownSetting: AgentSetting;
  tasks: AssignedTask[];
  settings: AgentSetting[];
  begun: number[];
}> {
  const { catalog } = context;
  const tree = await catalog.settings.tree();
  const assignments = await catalog.settings.assignments();
  const reports = await catalog.tasks.reportsBy(device.id);
  const isIn = (states: ReadonlySet<DeviceTaskState>, { id }: TaskRecord): boolean =>
    states.has(reports.get(id)?.state ?? "pending");
  const hasCompleted = (task: TaskRecord): boolean => reports.get(task.id)?.state === "complete";
  const current = (await catalog.tasks.open()).filter((task) => task.expiresAtMs > nowMs);
  const targeting = await openTargeting(context, targetsOf([...assignments, ...current]), device.id);
  const own = resolveSetting(tree, ownSettingOf(assignments, targeting, device));
  const open = current.filter((task) => targeting.isFor(task, device, reports.get(task.id)));
  const isWaiting = open.some((task) => task.action !== "pre-cache" && !hasCompleted(task));
  const others = isWaiting ? [...open, ...(await catalog.tasks.endedOn(device.id))] : open;
  const given = await catalog.lanKeys.grant(device.id, [...new Set(open.map((task) => task.packageId))]);
  const keys = new Map(given.map((one) => [one.packageId, one]));
  const tasks: AssignedTask[] = [];
  const settings = new Map<string, ResolvedSetting>();
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
    const overriding = overridingSetting(tree, task);
    const setting = overriding ?? own;
    if (setting.name !== own.name) settings.set(setting.name, setting);
    const afterEpoch = await epochOf(catalog, task.after);
    const overrides = overriding !== null;
    const packageKeys = keys.get(task.packageId);
    tasks.push(assigned(task, published, { setting, overrides, report, afterEpoch, keys: packageKeys }));
  }
  const begun = tasks.filter(({ id }) => reports.get(id)?.hasBegun).map(({ id }) => id);
  return { ownSetting: toAgent(own), tasks, settings: [...settings.values()].map(toAgent), begun };
}
