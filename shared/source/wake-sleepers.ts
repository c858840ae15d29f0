/**
 * Finds the devices of a task that are not awake: those without a change stream, and those whose
 * stream is open but that do not check in when they are asked. A machine that fell asleep keeps its
 * stream for minutes.
 */
import { endStates } from "../api/schema/common.ts";
import { resolveSetting, type SettingTree } from "../model/setting-inheritance.ts";
import type { SettingValues } from "../model/setting.ts";
import type { TaskRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { scanOf } from "./matching-devices.ts";
import { ownSettingOf, targetsOf } from "./setting-reach.ts";
import type { Targeting } from "./targeting.ts";
import type { Sleeper } from "./wake-plan.ts";

/** Time for the check-in of a connected device, and the check-ins a second that are waited for. */
const answerMs = 15_000;
const answersPerSecond = 100;

type SleeperContext = Pick<SourceContext, "catalog" | "changeHub" | "acceptsWishes">;

/** Returns the values of a device's own setting. */
export function settingReader(
  tree: SettingTree,
  assignments: Parameters<typeof ownSettingOf>[0],
): (targeting: Targeting, device: Parameters<typeof ownSettingOf>[2]) => SettingValues {
  const known = new Map<string, SettingValues>();
  return (targeting, device) => {
    const name = ownSettingOf(assignments, targeting, device);
    const values = known.get(name) ?? resolveSetting(tree, name).values;
    known.set(name, values);
    return values;
  };
}

/** Connected devices of one task that were asked for a check-in, which nothing else may cause. */
export class SilentDevices {
  #asked: { readonly ids: readonly string[]; readonly atMs: number; readonly untilMs: number } | null = null;
  #silent: ReadonlySet<string> = new Set();

  /** Asks connected devices once, and later tells which of them have not checked in since. */
  async of(
    { catalog, changeHub }: SleeperContext,
    connected: readonly string[],
    nowMs: number,
  ): Promise<ReadonlySet<string>> {
    if (this.#asked === null) {
      const untilMs = nowMs + answerMs + (connected.length / answersPerSecond) * 1_000;
      this.#asked = { ids: connected, atMs: nowMs, untilMs };
      changeHub.notify(connected);
    }
    const { ids, atMs, untilMs } = this.#asked;
    if (nowMs < untilMs) return this.#silent;
    const still = this.#silent.size > 0 ? [...this.#silent] : ids;
    const seen = await catalog.devices.lastSeen(still);
    this.#silent = new Set(still.filter((id) => (seen.get(id) ?? Infinity) < atMs));
    this.#asked = { ids: [], atMs, untilMs };
    return this.#silent;
  }
}

/** Returns the devices of a task that are not awake and have not ended it. */
export async function sleepersOf(
  context: SleeperContext,
  task: TaskRecord,
  silent: SilentDevices,
  nowMs: number,
): Promise<Sleeper[]> {
  const { catalog, changeHub } = context;
  const assignments = await catalog.settings.assignments();
  const settingOf = settingReader(await catalog.settings.tree(), assignments);
  const asleep: Sleeper[] = [];
  const connected = new Map<string, Sleeper>();
  const targets = [task.target, ...targetsOf(assignments)];
  for await (const { devices, targeting, range } of scanOf(context, targets)) {
    const reports = await catalog.tasks.reportsFor(task.id, range);
    for (const device of devices) {
      const report = reports.get(device.id);
      if (report !== undefined && endStates.has(report.state)) continue;
      if (!targeting.isFor(task, device, report)) continue;
      const { wakeOnLan, wakeLeadMs } = settingOf(targeting, device);
      const one = { id: device.id, subnetId: device.subnet?.id ?? null, setting: { wakeOnLan, wakeLeadMs } };
      if (changeHub.isConnected(device.id)) connected.set(device.id, one);
      else asleep.push(one);
    }
  }
  for (const id of await silent.of(context, [...connected.keys()], nowMs)) {
    const one = connected.get(id);
    if (one !== undefined) asleep.push(one);
  }
  return asleep;
}
