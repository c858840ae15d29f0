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
import type { DeviceRecord, ScannedDevice, TaskRecord, TaskReport } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { scanOf, type ScanStep } from "./matching-devices.ts";
import type { Targeting } from "./targeting.ts";

type ReachContext = Pick<SourceContext, "catalog" | "changeHub" | "acceptsWishes">;

export const targetsOf = (named: readonly { readonly target: string }[]): string[] =>
  named.map(({ target }) => target);

/**
 * Returns the name of a device's own setting.
 * @param targeting opened with the targets of the assignments
 */
export const ownSettingOf = (
  assignments: readonly SettingAssignment[],
  targeting: Targeting,
  device: DeviceRecord | ScannedDevice,
): string => ownSettingName(assignments, (target) => targeting.matches(target, device));

/** Returns the setting that a task names, or null if the devices' own ones count. */
export const overridingSetting = (tree: SettingTree, { setting }: TaskRecord): ResolvedSetting | null =>
  setting !== null && tree.has(setting) ? resolveSetting(tree, setting) : null;

/** Devices that a change reaches: their number, and those of them that can be woken. */
export type Reach = { readonly devices: number; readonly connected: readonly string[] };

/** Returns the devices, and the number of open tasks, for which one of the settings counts. */
export async function reachOf(
  context: ReachContext,
  names: readonly string[],
): Promise<Reach & { readonly openTasks: number }> {
  const { settings, tasks } = context.catalog;
  const assignments = await settings.assignments();
  const using = (await tasks.open()).filter(({ setting }) => setting !== null && names.includes(setting));
  const targets = targetsOf([...assignments, ...using]);
  const reach = await reachedBy(context, targets, async ({ devices, targeting, range }) => {
    const reported = new Map<number, ReadonlyMap<string, TaskReport>>();
    for (const { id } of using) reported.set(id, await tasks.reportsFor(id, range));
    return devices.filter(
      (device) =>
        names.includes(ownSettingOf(assignments, targeting, device)) ||
        using.some((task) => targeting.isFor(task, device, reported.get(task.id)!.get(device.id))),
    );
  });
  return { ...reach, openTasks: using.length };
}

/** Returns the devices whose own setting differs between two lists of assignments. */
export async function reachOfChange(
  context: ReachContext,
  before: readonly SettingAssignment[],
  after: readonly SettingAssignment[],
): Promise<Reach> {
  return reachedBy(context, targetsOf([...before, ...after]), async ({ devices, targeting }) =>
    devices.filter(
      (device) => ownSettingOf(before, targeting, device) !== ownSettingOf(after, targeting, device),
    ),
  );
}

/** Goes over all devices, in turns with requests. */
async function reachedBy(
  context: ReachContext,
  targets: readonly string[],
  select: (step: ScanStep) => Promise<readonly ScannedDevice[]>,
): Promise<Reach> {
  const connected: string[] = [];
  let devices = 0;
  for await (const step of scanOf(context, targets)) {
    const reached = await select(step);
    devices += reached.length;
    for (const { id } of reached) if (context.changeHub.isConnected(id)) connected.push(id);
  }
  return { devices, connected };
}
