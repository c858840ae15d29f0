/**
 * Settings of guards: what a device does while a condition holds, and from which threshold on.
 * guard.ts evaluates them. The rows are part of the one table (setting.ts).
 */
import * as v from "valibot";
import { formatDuration, parseDurationMs } from "./quantity.ts";
import { count, durationMs, HOUR, SECOND, setting } from "./setting-row.ts";

/**
 * Actions of a device under a guard, from the mildest to the strictest.
 * - `allow`: the guard is off
 * - `not-representative`: does not lead; a representative hands over
 * - `pause-wan`: in addition, takes nothing over the WAN
 * - `pause`: takes no part in the distribution
 */
export const guardActions = ["allow", "not-representative", "pause-wan", "pause"] as const;
export type GuardAction = (typeof guardActions)[number];

function parseAction(text: string): GuardAction {
  const found = guardActions.find((action) => action === text);
  if (found !== undefined) return found;
  throw new Error(`"${text}" is not an action of a guard: write one of ${guardActions.join(", ")}`);
}

function parsePercent(text: string): number {
  const found = /^(\d{1,3})\s*%?$/.exec(text.trim());
  if (found) return Number(found[1]);
  throw new Error(`"${text}" is not a share: write for example 50%`);
}

const percent = count(0, 100);

const action = <const F extends string>(field: F, byDefault: GuardAction, about: string) =>
  setting({
    field,
    schema: v.picklist(guardActions),
    default: byDefault,
    mayBeMissing: true,
    parse: parseAction,
    format: String,
    about: `${about}: ${guardActions.join(", ")}`,
  });

const threshold = <const F extends string>(field: F, byDefault: number, about: string) =>
  setting({
    field,
    schema: percent,
    default: byDefault,
    mayBeMissing: true,
    parse: parsePercent,
    format: (value: number) => `${value}%`,
    about,
  });

export const guardSettings = {
  guardBattery: action(
    "guardBattery",
    "not-representative",
    "device on battery with a charge below guardBatteryBelow, or in a saver mode",
  ),
  guardBatteryBelow: threshold(
    "guardBatteryBelowPercent",
    50,
    "charge below which guardBattery applies; 100%: whenever on battery",
  ),
  guardMetered: action("guardMetered", "not-representative", "device on a metered network"),
  guardUser: action(
    "guardUser",
    "allow",
    "device at which a user is active: the last input is less than userIdle ago",
  ),
  guardCpu: action("guardCpu", "allow", "device whose processors are busy"),
  guardCpuAbove: threshold(
    "guardCpuAbovePercent",
    80,
    "share of time above which guardCpu applies: work waits for a processor (Linux), or processors are busy",
  ),
  guardIo: action("guardIo", "allow", "device whose disks are busy; Linux only"),
  guardIoAbove: threshold(
    "guardIoAbovePercent",
    40,
    "share of time above which guardIo applies: all work waits for a disk",
  ),
  guardDisk: action("guardDisk", "not-representative", "device with little free space on its disk"),
  guardDiskBelow: threshold(
    "guardDiskBelowPercent",
    5,
    "free share of the disk below which guardDisk applies",
  ),
  guardMemory: action("guardMemory", "not-representative", "device with little free memory"),
  guardMemoryBelow: threshold(
    "guardMemoryBelowPercent",
    5,
    "free share of the memory below which guardMemory applies",
  ),
  guardWireless: action("guardWireless", "allow", "device on Wi-Fi"),
  guardInterval: setting({
    field: "guardIntervalMs",
    schema: durationMs(SECOND, HOUR),
    default: 30 * SECOND,
    mayBeMissing: true,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time between two readings of the conditions; a guard ends with the second reading without it",
  }),
} as const;
