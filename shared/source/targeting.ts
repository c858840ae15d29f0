/**
 * Which devices the targets of tasks and of assigned settings match: expressions (model/target)
 * over the catalog. Reads before the evaluation what the expressions name, so that each evaluation
 * is a pure function.
 *
 * Targets are evaluated each time, so they also apply to devices that enrol later, move, or change.
 */
import {
  matcherOf,
  parseTarget,
  referencesOf,
  TargetError,
  type Target,
  type TargetReferences,
  type TargetView,
} from "../model/target/index.ts";
import { endStates, successStates } from "../api/schema/common.ts";
import type {
  Catalog,
  DeviceRecord,
  DeviceSelection,
  ReportedVersion,
  ScannedDevice,
  TaskRecord,
  TaskReport,
} from "./catalog/index.ts";
import { reconnectMs } from "./change-hub.ts";

type TargetContext = { readonly catalog: Catalog; readonly acceptsWishes: boolean };
type Parsed = {
  /** Null for a text that cannot be read. */
  readonly target: Target | null;
  readonly matches: (view: TargetView) => boolean;
  readonly references: TargetReferences;
};
export type Targeting = {
  /** Whether the target matches the device. */
  readonly matches: (target: string, device: Targeted) => boolean;
  /**
   * Whether a task is for the device: the target matches it, or it has done the task, or runs its
   * command. A result of the task itself may be why the target no longer matches. No task is for a
   * device that waits for an approval, and only an image for a machine that was started for that.
   */
  readonly isFor: (task: TaskRecord, device: Targeted, report: TaskReport | undefined) => boolean;
  /** Returns the devices of a task, without those that came after its end. */
  readonly devicesOf: <D extends DeviceRecord>(
    task: TaskRecord,
    devices: readonly D[],
    reports: ReadonlyMap<string, TaskReport>,
  ) => D[];
};

/** Parsed targets by text. */
const cache = new Map<string, Parsed>();
const cachedMax = 1_000;
const noReferences: TargetReferences = referencesOf({ kind: "all" });
const nobody: Parsed = { target: null, matches: () => false, references: noReferences };

function parsed(text: string): Parsed {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const made = parse(text);
  if (cache.size >= cachedMax) cache.delete(cache.keys().next().value!);
  cache.set(text, made);
  return made;
}

/** A target of another version of the program that this one cannot read matches nobody. */
function parse(text: string): Parsed {
  try {
    const target = parseTarget(text);
    return { target, matches: matcherOf(target), references: referencesOf(target) };
  } catch (error) {
    if (error instanceof TargetError) return nobody;
    throw error;
  }
}

/** Returns the names in a target; none of one that cannot be read. */
export const referencesIn = (target: string): TargetReferences => parsed(target).references;

/** Returns the target as a tree; null for a text that cannot be read, which matches nobody. */
export const targetIn = (target: string): Target | null => parsed(target).target;

/** Whether results of tasks can change which devices the target matches. */
export const dependsOnResults = (target: string): boolean => {
  const { tasks, packages } = parsed(target).references;
  return tasks.size > 0 || packages.size > 0;
};

/** Returns the host name, and the name that an administrator gave. */
const namesOf = ({ hostname, name }: Pick<DeviceRecord, "hostname" | "name">): string[] =>
  name === null ? [hostname] : [hostname, name];

/** A device as targets see it. */
type Targeted = DeviceRecord | ScannedDevice;
/** Whether a device gets nothing until an administrator approves it. */
export const isWaiting = (device: Targeted): boolean =>
  "isWaiting" in device ? device.isWaiting : device.life.state === "waiting";
/** Whether a device may get a task of this action. */
export const mayTake = ({ action }: Pick<TaskRecord, "action">, { isImaging }: Targeted): boolean =>
  !isImaging || action === "image";
const isSuspended = (device: Targeted): boolean =>
  "isSuspended" in device
    ? device.isSuspended
    : device.life.state === "suspended" || device.life.state === "waiting";

/** Returns the tags that count. A machine that only claims to be a known one must not get them. */
function countingTags(device: Targeted, acceptsWishes: boolean): readonly string[] {
  const { tags, wishes } = device;
  if (isSuspended(device)) return [];
  return acceptsWishes ? [...tags, ...wishes] : tags;
}

type Lookups = {
  readonly acceptsWishes: boolean;
  readonly results: (taskId: number, deviceId: string) => ReturnType<TargetView["resultIn"]>;
  readonly versions: (name: string, deviceId: string, how: "has" | "holds") => string[];
};

/** View of a device that makes only what a target names: most name one or two properties. */
class DeviceView implements TargetView {
  readonly device: Targeted;
  readonly #lookups: Lookups;

  constructor(device: Targeted, lookups: Lookups) {
    this.device = device;
    this.#lookups = lookups;
  }

  get id(): string {
    return this.device.id;
  }
  get names(): readonly string[] {
    return namesOf(this.device);
  }
  get tags(): readonly string[] {
    return countingTags(this.device, this.#lookups.acceptsWishes);
  }
  get subnet(): TargetView["subnet"] {
    const { subnet, subnetName } = this.device;
    return subnet && { id: subnet.id, cidr: subnet.cidr, name: subnetName };
  }
  get site(): string | null {
    return this.device.site;
  }
  get os(): string {
    return this.device.os;
  }
  get arch(): string {
    return this.device.arch;
  }
  get agentVersion(): string {
    return this.device.agentVersion;
  }
  get deviceClass(): string | undefined {
    return this.device.facts.deviceClass;
  }
  get medium(): string | undefined {
    return this.device.facts.medium;
  }
  get onBattery(): boolean | undefined {
    return this.device.facts.onBattery;
  }
  get memoryBytes(): number | undefined {
    return this.device.facts.memoryBytes;
  }
  get diskFreeBytes(): number | undefined {
    return this.device.facts.diskFreeBytes;
  }
  get cacheBytes(): number | undefined {
    return this.device.facts.cacheBytes;
  }
  readonly resultIn: TargetView["resultIn"] = (taskId) => this.#lookups.results(taskId, this.device.id);
  readonly versionsOf: TargetView["versionsOf"] = (name, how) =>
    this.#lookups.versions(name, this.device.id, how);
}

/** Whether the task has ended well on the device, or its command has begun and not ended. */
const isDone = ({ state, hasBegun }: TaskReport): boolean =>
  successStates.has(state) || (hasBegun && !endStates.has(state));

/**
 * Reads what the targets name.
 * @param among devices that will be evaluated: of others, results and packages are not known
 */
export async function openTargeting(
  { catalog, acceptsWishes }: TargetContext,
  targets: readonly string[],
  among: DeviceSelection,
): Promise<Targeting> {
  const known = new Map(targets.map((text) => [text, parsed(text)] as const));
  const references = [...known.values()].map((one) => one.references);
  const tasks = new Set(references.flatMap((one) => Array.from(one.tasks)));
  const packages = new Set(references.flatMap((one) => Array.from(one.packages)));
  const results = await resultsOf(catalog, tasks, among);
  const versions = await versionsOf(catalog, packages, among);
  const lookups = { acceptsWishes, results, versions };
  let last: DeviceView | null = null;
  // One device is often compared with several targets in turn.
  const viewOf = (device: Targeted): TargetView => {
    if (last?.device !== device) last = new DeviceView(device, lookups);
    return last;
  };
  const matches: Targeting["matches"] = (target, device) =>
    target === "all" || (known.get(target) ?? parsed(target)).matches(viewOf(device));
  const isFor: Targeting["isFor"] = (task, device, report) =>
    !isWaiting(device) &&
    mayTake(task, device) &&
    ((report !== undefined && isDone(report)) || matches(task.target, device));
  return {
    matches,
    isFor,
    devicesOf: (task, devices, reports) =>
      devices.filter((device) => {
        const report = reports.get(device.id);
        return isFor(task, device, report) && wasThere(task, device, report);
      }),
  };
}

/** Whether the device was a device of the task when the task ended. */
function wasThere(task: TaskRecord, device: DeviceRecord, report: TaskReport | undefined): boolean {
  if (task.endedAtMs === null) return true;
  // A task that is complete has a report of every device that was seen since its creation. Another
  // device that matches later is new.
  if (task.endedWhy === "complete") return report !== undefined || isUnseen(task, device);
  return device.enrolledAtMs <= task.endedAtMs;
}

/** Whether the device was not seen since before the creation of the task. */
export const isUnseen = (task: TaskRecord, { lastSeenAtMs }: Pick<DeviceRecord, "lastSeenAtMs">): boolean =>
  lastSeenAtMs < task.createdAtMs - reconnectMs;

type ResultIn = ReturnType<TargetView["resultIn"]>;

async function resultsOf(
  { tasks }: Catalog,
  ids: ReadonlySet<number>,
  devices: DeviceSelection,
): Promise<(taskId: number, deviceId: string) => ResultIn> {
  const known = new Map<number, ReadonlyMap<string, "failed" | "complete">>();
  for (const id of ids)
    if ((await tasks.byId(id)) !== null) known.set(id, await tasks.resultsFor(id, devices));
  return (taskId, device) => {
    const results = known.get(taskId);
    return results === undefined ? null : (results.get(device) ?? "none");
  };
}

async function versionsOf(
  { devicePackages }: Catalog,
  names: ReadonlySet<string>,
  devices: DeviceSelection,
): Promise<(name: string, deviceId: string, how: "has" | "holds") => string[]> {
  const byName = new Map<string, ReadonlyMap<string, readonly ReportedVersion[]>>();
  for (const name of names) byName.set(name, await devicePackages.ofPackage(name, devices));
  return (name, device, how) => {
    const own = byName.get(name)?.get(device) ?? [];
    return (how === "holds" ? own : currentOf(own)).map(({ packageVersion }) => packageVersion);
  };
}

/** Returns the version whose command ran last, unless this command removed it. */
function currentOf(versions: readonly ReportedVersion[]): readonly ReportedVersion[] {
  const last = Math.max(...versions.map(({ ranOrder }) => ranOrder ?? -1));
  return versions.filter(({ ranOrder, isRemoved }) => ranOrder === last && !isRemoved);
}
