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
import { isTargeted, type Catalog, type DeviceRecord, type TaskRecord } from "./catalog/index.ts";

/** Returns the name of a device's own setting. */
export const ownSettingOf = (assignments: readonly SettingAssignment[], device: DeviceRecord): string =>
  ownSettingName(assignments, (target) => isTargeted(target, device));

/** Returns a device's own setting with its values. */
export async function ownSetting({ settings }: Catalog, device: DeviceRecord): Promise<ResolvedSetting> {
  return resolveSetting(await settings.tree(), ownSettingOf(await settings.assignments(), device));
}

/** Returns the setting that a task names, or null if the devices' own ones count. */
export const overridingSetting = (tree: SettingTree, { setting }: TaskRecord): ResolvedSetting | null =>
  setting !== null && tree.has(setting) ? resolveSetting(tree, setting) : null;

/** Uses of settings: each device with its own one, and each open task with the one it names. */
export type SettingUsers = {
  readonly devices: readonly { readonly device: DeviceRecord; readonly own: string }[];
  readonly tasks: readonly TaskRecord[];
};

export async function settingUsers(catalog: Catalog): Promise<SettingUsers> {
  const assignments = await catalog.settings.assignments();
  const devices = await catalog.devices.list();
  return {
    devices: devices.map((device) => ({ device, own: ownSettingOf(assignments, device) })),
    tasks: (await catalog.tasks.open()).filter(({ setting }) => setting !== null),
  };
}

/** Returns the devices, and the number of open tasks, for which one of the settings counts. */
export function reachOf(
  names: readonly string[],
  { devices, tasks }: SettingUsers,
): { deviceIds: string[]; openTasks: number } {
  const reached = tasks.filter(({ setting }) => names.includes(setting!));
  const isReached = ({ device, own }: SettingUsers["devices"][number]): boolean =>
    names.includes(own) || reached.some(({ target }) => isTargeted(target, device));
  return {
    deviceIds: devices.filter(isReached).map(({ device }) => device.id),
    openTasks: reached.length,
  };
}
