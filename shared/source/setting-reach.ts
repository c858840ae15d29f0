/**
 * The own setting of a device, by assignment, and the devices and open tasks that settings reach:
 * those that a change of them has to wake.
 */
import {
  ownSettingName,
  resolveSetting,
  type ResolvedSetting,
  type SettingAssignment,
  type SettingTree,
} from "../model/setting-inheritance.ts";
import type { DeviceRecord, TaskRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { openTargeting, type Targeting } from "./targeting.ts";

type ReachContext = Pick<SourceContext, "catalog" | "acceptsWishes">;

export const targetsOf = (named: readonly { readonly target: string }[]): string[] =>
  named.map(({ target }) => target);

/**
 * Returns the name of a device's own setting.
 * @param targeting opened with the targets of the assignments
 */
export const ownSettingOf = (
  assignments: readonly SettingAssignment[],
  targeting: Targeting,
  device: DeviceRecord,
): string => ownSettingName(assignments, (target) => targeting.matches(target, device));

/** Returns the setting that a task names, or null if the devices' own ones count. */
export const overridingSetting = (tree: SettingTree, { setting }: TaskRecord): ResolvedSetting | null =>
  setting !== null && tree.has(setting) ? resolveSetting(tree, setting) : null;

/** Uses of settings: each device with its own one, and each open task with the one it names. */
type SettingUsers = {
  readonly devices: readonly { readonly device: DeviceRecord; readonly own: string }[];
  readonly tasks: readonly TaskRecord[];
};

async function settingUsers(context: ReachContext): Promise<SettingUsers> {
  const { settings, devices, tasks } = context.catalog;
  const assignments = await settings.assignments();
  const targeting = await openTargeting(context, targetsOf(assignments));
  return {
    devices: (await devices.list()).map((device) => ({
      device,
      own: ownSettingOf(assignments, targeting, device),
    })),
    tasks: (await tasks.open()).filter(({ setting }) => setting !== null),
  };
}

/** Returns the devices, and the number of open tasks, for which one of the settings counts. */
export async function reachOf(
  context: ReachContext,
  names: readonly string[],
): Promise<{ deviceIds: string[]; openTasks: number }> {
  const users = await settingUsers(context);
  const tasks = users.tasks.filter(({ setting }) => names.includes(setting!));
  const reached = new Set(
    users.devices.filter(({ own }) => names.includes(own)).map(({ device }) => device.id),
  );
  const devices = users.devices.map(({ device }) => device);
  const targeting = await openTargeting(context, targetsOf(tasks));
  for (const task of tasks) {
    const reports = await context.catalog.tasks.reportsOf(task.id);
    for (const { id } of targeting.devicesOf(task, devices, reports)) reached.add(id);
  }
  return { deviceIds: [...reached], openTasks: tasks.length };
}
