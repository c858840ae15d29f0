/** Assignment of tasks to devices, and the form of a task that a device receives. */
import type * as v from "valibot";
import type { Catalog, DeviceRecord, PackageKeys, PackageRecord, TaskRecord } from "../catalog/index.ts";
import type { AssignedTask, CheckInResponse, checkInRequestSchema } from "../../api/schema/agent.ts";
import { successStates, type DeviceTaskState } from "../../api/schema/common.ts";
import { resolveSetting, type SettingTree } from "../../model/setting-inheritance.ts";
import { readOrder, type Signed } from "../../model/trust/index.ts";
import { ApiError } from "../api-error.ts";
import type { SourceContext } from "../context.ts";
import type { Orders } from "../trust/orders.ts";
import { ownSettingOf, targetsOf } from "../setting-reach.ts";
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

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** Returns the names of a setting and its parents. */
const lineOf = (tree: SettingTree, name: string): string[] =>
  tree.has(name) ? [name, ...resolveSetting(tree, name).parents.map((parent) => parent.name)] : [];

/** Returns the orders of settings, each once. */
async function settingOrders(orders: Orders, names: Iterable<string>): Promise<Signed[]> {
  const found = await Promise.all(Array.from(new Set(names), (name) => orders.signed("setting", name)));
  return found.filter((signed) => signed !== null);
}

/** Returns the keys of a package that a device gets. */
const keysOf = ({ packageKey }: PackageRecord, keys: PackageKeys | undefined) => ({
  packageKey: base64(keys?.key ?? packageKey),
  packageKeyBefore: keys?.keyBefore ? base64(keys.keyBefore) : null,
});

/** Returns the assignments of settings, if the device has older ones. */
async function newerAssignments({ catalog }: SourceContext, known: number): Promise<Signed | null> {
  const stored = await catalog.trust.order("assignments", "");
  return stored !== null && stored.sequence > known ? stored.signed : null;
}

/**
 * Returns the open tasks of a device that it has not completed and that no other one supersedes,
 * the device's own setting, and the others that the tasks name. Failed tasks are included: the
 * agent knows whether an attempt has ended.
 *
 * @param serving tasks that the device has completed and still serves; included while they are open
 */
export async function agentTasksOf(
  context: SourceContext,
  device: DeviceRecord,
  { serving, trust }: Pick<v.InferOutput<typeof checkInRequestSchema>, "serving" | "trust">,
  nowMs: number,
): Promise<Pick<CheckInResponse, "ownSetting" | "tasks" | "settings" | "assignments" | "begun">> {
  const { catalog, orders } = context;
  const tree = await catalog.settings.tree();
  const assignments = await catalog.settings.assignments();
  const reports = await catalog.tasks.reportsBy(device.id);
  const isIn = (states: ReadonlySet<DeviceTaskState>, { id }: TaskRecord): boolean =>
    states.has(reports.get(id)?.state ?? "pending");
  const hasCompleted = (task: TaskRecord): boolean => reports.get(task.id)?.state === "complete";
  const current = (await catalog.tasks.open()).filter((task) => task.expiresAtMs > nowMs);
  const targeting = await openTargeting(context, targetsOf([...assignments, ...current]), [device.id]);
  const own = ownSettingOf(assignments, targeting, device);
  const open = current.filter((task) => targeting.isFor(task, device, reports.get(task.id)));
  const isWaiting = open.some((task) => task.action !== "pre-cache" && !hasCompleted(task));
  const others = isWaiting ? [...open, ...(await catalog.tasks.endedOn(device.id))] : open;
  const given = await catalog.lanKeys.grant(device.id, [...new Set(open.map((task) => task.packageId))]);
  const keys = new Map(given.map((one) => [one.packageId, one]));
  const tasks: AssignedTask[] = [];
  const settings = new Set(lineOf(tree, own));
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
    const order = published && (await orders.signed("task", String(task.id)));
    if (!order) continue;
    for (const name of lineOf(tree, readOrder("task", order).setting ?? own)) settings.add(name);
    tasks.push({
      id: task.id,
      order,
      attempt: report?.attempt ?? 1,
      paused: task.state === "paused",
      taskKey: base64(task.taskKey),
      ...keysOf(published, keys.get(task.packageId)),
    });
  }
  return {
    ownSetting: { name: own },
    tasks,
    settings: await settingOrders(orders, settings),
    assignments: await newerAssignments(context, trust.assignments),
    begun: tasks.filter(({ id }) => reports.get(id)?.hasBegun).map(({ id }) => id),
  };
}
