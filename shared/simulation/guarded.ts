/**
 * Conditions of simulated machines under which guards restrict them, one for each action of a
 * guard. The settings of simulated tasks name these actions.
 */
import type { Conditions } from "../model/conditions.ts";
import type { SettingValues } from "../model/setting.ts";

export const guardValues = {
  guardBattery: "not-representative",
  guardMetered: "pause-wan",
  guardDisk: "pause",
} as const satisfies Partial<SettingValues>;

/** By name of the condition: how it begins, and how it ends. */
export const guardedConditions = {
  battery: [
    { onBattery: true, batteryPercent: 20 },
    { onBattery: false, batteryPercent: null },
  ],
  metered: [{ isMetered: true }, { isMetered: false }],
  disk: [{ diskFreePercent: 1 }, { diskFreePercent: 50 }],
} as const satisfies Record<string, readonly [Partial<Conditions>, Partial<Conditions>]>;
export type GuardedCondition = keyof typeof guardedConditions;
export const guardedNames = Object.keys(guardedConditions) as GuardedCondition[];

/** Time between two readings of an agent. The second one without a condition ends its guard. */
export const readEveryMs = 2_000;

/** Whether the setting lets a device in these conditions do nothing at all. */
export const isPaused = ({ diskFreePercent }: Conditions): boolean => diskFreePercent === 1;
export const isWanPaused = (conditions: Conditions): boolean =>
  isPaused(conditions) || conditions.isMetered === true;
export const mayNotLead = (conditions: Conditions): boolean =>
  isWanPaused(conditions) || conditions.onBattery === true;
