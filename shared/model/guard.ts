/**
 * Guards: conditions of a device (conditions.ts) under which a setting keeps it from leading, from
 * the WAN, or from taking part. Pure: the state of a guard follows from the state before and one
 * reading, so that a reading at the threshold does not make the device change its mind each time.
 */
import type { Conditions } from "./conditions.ts";
import { guardActions, type GuardAction } from "./guard-settings.ts";
import type { SettingValues } from "./setting.ts";

export const guardNames = ["battery", "metered", "user", "cpu", "io", "disk", "memory", "wireless"] as const;
export type GuardName = (typeof guardNames)[number];

/** Whether a reading begins a guard, ends it, or is in between, where the state before stays. */
type Evidence = "begins" | "between" | "ends";

/**
 * Distance from the threshold at which a guard ends, in percent points. Pressure varies more than
 * space and charge.
 */
const spaceMargin = 5;
const pressureMargin = 10;
/** Readings in a row that end a guard: 30 to 60 s with one every 30 s. */
const endReadings = 2;
/** Readings in a row that begin a guard. A single one of the pressure may be a short peak. */
const beginReadings = { cpu: 2, io: 2 } as const satisfies Partial<Record<GuardName, number>>;
const beginReadingsOf = (name: GuardName): number =>
  name in beginReadings ? beginReadings[name as keyof typeof beginReadings] : 1;

const when = (holds: boolean): Evidence => (holds ? "begins" : "ends");

function below(percent: number | null, threshold: number): Evidence {
  if (percent === null || percent >= threshold + spaceMargin) return "ends";
  return percent < threshold ? "begins" : "between";
}

function above(percent: number | null, threshold: number): Evidence {
  if (percent === null || percent <= threshold - pressureMargin) return "ends";
  return percent > threshold ? "begins" : "between";
}

/** A battery without a known charge counts as low; with a threshold of 100 %, a full one too. */
function batteryEvidence({ onBattery, batteryPercent, savesPower }: Conditions, threshold: number): Evidence {
  if (onBattery !== true) return "ends";
  if (savesPower === true || batteryPercent === null || threshold === 100) return "begins";
  return below(batteryPercent, threshold);
}

/** How each guard reads the conditions, and its setting. A condition that is not known ends it. */
const guards: {
  readonly [G in GuardName]: {
    readonly evidence: (conditions: Conditions, values: SettingValues) => Evidence;
    readonly action: (values: SettingValues) => GuardAction;
  };
} = {
  battery: {
    evidence: (conditions, values) => batteryEvidence(conditions, values.guardBatteryBelowPercent),
    action: ({ guardBattery }) => guardBattery,
  },
  metered: {
    evidence: ({ isMetered }) => when(isMetered === true),
    action: ({ guardMetered }) => guardMetered,
  },
  user: {
    evidence: ({ userIdleMs }, values) => when(userIdleMs !== null && userIdleMs < values.userIdleMs),
    action: ({ guardUser }) => guardUser,
  },
  cpu: {
    evidence: ({ cpuPercent }, values) => above(cpuPercent, values.guardCpuAbovePercent),
    action: ({ guardCpu }) => guardCpu,
  },
  io: {
    evidence: ({ ioPercent }, values) => above(ioPercent, values.guardIoAbovePercent),
    action: ({ guardIo }) => guardIo,
  },
  disk: {
    evidence: ({ diskFreePercent }, values) => below(diskFreePercent, values.guardDiskBelowPercent),
    action: ({ guardDisk }) => guardDisk,
  },
  memory: {
    evidence: ({ memoryFreePercent }, values) => below(memoryFreePercent, values.guardMemoryBelowPercent),
    action: ({ guardMemory }) => guardMemory,
  },
  wireless: {
    evidence: ({ isWireless }) => when(isWireless),
    action: ({ guardWireless }) => guardWireless,
  },
};

/** `against`: readings in a row that contradict the present state. */
type GuardState = { readonly holds: boolean; readonly against: number };
export type GuardStates = Readonly<Record<GuardName, GuardState>>;

const eachGuard = <T>(of: (name: GuardName) => T): Readonly<Record<GuardName, T>> =>
  Object.fromEntries(guardNames.map((name) => [name, of(name)])) as Record<GuardName, T>;

/** States before the first reading: no guard holds. */
export const noGuards: GuardStates = eachGuard(() => ({ holds: false, against: 0 }));

function nextState(name: GuardName, { holds, against }: GuardState, evidence: Evidence): GuardState {
  if (evidence !== (holds ? "ends" : "begins")) return { holds, against: 0 };
  const needed = holds ? endReadings : beginReadingsOf(name);
  return against + 1 < needed ? { holds, against: against + 1 } : { holds: !holds, against: 0 };
}

/** Returns the states after a reading of the conditions. */
export const nextGuards = (states: GuardStates, conditions: Conditions, values: SettingValues): GuardStates =>
  eachGuard((name) => nextState(name, states[name], guards[name].evidence(conditions, values)));

/** Action of the device, and the guards that ask for this action or for a milder one. */
export type GuardVerdict = { readonly action: GuardAction; readonly guards: readonly GuardName[] };

export const freeVerdict: GuardVerdict = { action: "allow", guards: [] };

/** Returns the strictest action of the guards that hold. */
export function verdictOf(states: GuardStates, values: SettingValues): GuardVerdict {
  const holding = guardNames.filter((name) => states[name].holds && guards[name].action(values) !== "allow");
  const rank = Math.max(0, ...holding.map((name) => guardActions.indexOf(guards[name].action(values))));
  return { action: guardActions[rank]!, guards: holding };
}

/** Whether an action is at least as strict as another one. */
export const isAtLeast = (action: GuardAction, other: GuardAction): boolean =>
  guardActions.indexOf(action) >= guardActions.indexOf(other);
