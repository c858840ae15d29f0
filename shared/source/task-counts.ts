/**
 * Counts of the devices of tasks. A request counts few devices itself. The counts of large tasks
 * are kept: the devices are counted in the background, and the counters of reports, which the
 * catalog keeps at write time, tell what has changed since.
 */
import type { TaskSummary } from "../api/schema/admin.ts";
import { absentListMax } from "../api/schema/admin.ts";
import { endStates, type DeviceTaskState } from "../api/schema/common.ts";
import type { DeviceRecord, TaskRecord } from "./catalog/index.ts";
import type { Logger } from "../log.ts";
import { foldedName } from "../model/glob.ts";
import type { Scope } from "../model/role.ts";
import type { TaskCount, TaskCounter } from "./task-count.ts";
import { stateOnDevice } from "./task-state.ts";
import { taskDeviceParts, type ReadContext } from "./task-devices.ts";

type CountContext = ReadContext & { readonly log: Logger };
type Counters = ReadonlyMap<DeviceTaskState, number>;
type Kept = {
  readonly count: TaskCount;
  readonly counters: Counters;
  readonly version: string;
  readonly rows: number;
};

/** Devices that one request counts itself. */
const rowsPerRequest = 2_000;
/** Share of the time that background counts take. */
const backgroundShare = 0.05;
const restMinMs = 100;
/** Tasks that nobody has looked at for this time are not counted. */
const wantedMs = 300_000;
const keptMax = 10_000;

const fields = {
  complete: "complete",
  rebootPending: "reboot-pending",
  failed: "failed",
  superseded: "superseded",
  expired: "expired",
} as const satisfies Record<string, DeviceTaskState>;

/** Whether a count is of this content of the task. */
const versionOf = ({ version, state, epoch }: TaskRecord): string => `${epoch} ${version} ${state}`;

/** Count that somebody looks at. */
type Wanted = { readonly taskId: number; readonly scope: Scope; readonly atMs: number };
const keyOf = (taskId: number, scope: Scope): string => JSON.stringify([taskId, ...scope]);

export class TaskCounts implements TaskCounter {
  readonly #context: CountContext;
  /** Last counts by task and scope. */
  readonly #kept = new Map<string, Kept>();
  /** Counts to renew in the background. */
  readonly #wanted = new Map<string, Wanted>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  constructor(context: CountContext) {
    this.#context = context;
  }

  /** Returns the counts of these tasks, in their order. */
  async of(tasks: readonly TaskRecord[]): Promise<TaskCount[]> {
    const { catalog } = this.#context;
    const counters = await catalog.tasks.counters(tasks.map(({ id }) => id));
    const fleet = await catalog.devices.count();
    const counts: TaskCount[] = [];
    let rowsLeft = rowsPerRequest;
    for (const task of tasks) {
      const kept = this.#keptOf(task, []);
      if ((kept?.rows ?? fleet) <= rowsLeft) {
        const counted = await this.#count(task, []);
        rowsLeft -= Math.max(counted.rows, 1);
        counts.push(counted.count);
        continue;
      }
      this.#want(task, []);
      counts.push(updated(kept, counters.get(task.id) ?? new Map()));
    }
    return counts;
  }

  /** Returns the counts of a task without the devices outside of a scope. */
  async inScope(task: TaskRecord, scope: Scope): Promise<TaskCount> {
    if (scope.length === 0) return (await this.of([task]))[0]!;
    const kept = this.#keptOf(task, scope);
    const rows = kept?.rows ?? (await this.#sizeOf(scope));
    if (rows <= rowsPerRequest) return (await this.#count(task, scope)).count;
    this.#want(task, scope);
    // The counters have the devices of all scopes.
    return kept?.count ?? updated(undefined, new Map());
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #keptOf(task: TaskRecord, scope: Scope): Kept | undefined {
    const known = this.#kept.get(keyOf(task.id, scope));
    return known?.version === versionOf(task) ? known : undefined;
  }

  /** Returns an upper bound on the devices of a scope. */
  async #sizeOf(scope: Scope): Promise<number> {
    const own = new Set(scope.map(foldedName));
    const tags = await this.#context.catalog.deviceList.tags([]);
    return tags.reduce((sum, { name, devices }) => sum + (own.has(foldedName(name)) ? devices : 0), 0);
  }

  #want({ id: taskId }: TaskRecord, scope: Scope): void {
    this.#wanted.set(keyOf(taskId, scope), { taskId, scope, atMs: this.#context.nowMs() });
    this.#schedule(restMinMs);
  }

  async #count(task: TaskRecord, scope: Scope): Promise<Kept> {
    const { catalog } = this.#context;
    const counters = (await catalog.tasks.counters([task.id])).get(task.id) ?? new Map();
    const { rows, ...count } = await countTask(this.#context, { task, scope }, () => this.#isClosed);
    const kept = { count, counters, version: versionOf(task), rows };
    const key = keyOf(task.id, scope);
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value!);
    return kept;
  }

  #schedule(restMs: number): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => void this.#countOldest(), restMs).unref();
  }

  /** Renews the oldest of the wanted counts. */
  async #countOldest(): Promise<void> {
    const { catalog, log, nowMs } = this.#context;
    const beganMs = performance.now();
    try {
      for (const [key, { atMs }] of this.#wanted) if (nowMs() - atMs > wantedMs) this.#wanted.delete(key);
      const ageOf = (key: string): number => this.#kept.get(key)?.count.countedAtMs ?? 0;
      const [oldest] = [...this.#wanted].toSorted(([a], [b]) => ageOf(a) - ageOf(b));
      if (oldest !== undefined) {
        const [key, { taskId, scope }] = oldest;
        const task = await catalog.tasks.byId(taskId);
        if (task === null) {
          this.#wanted.delete(key);
          this.#kept.delete(key);
        } else await this.#count(task, scope);
      }
    } catch (error) {
      if (!this.#isClosed) log.error({ err: error }, "cannot count the devices of tasks");
    }
    this.#timer = null;
    const tookMs = performance.now() - beganMs;
    if (this.#wanted.size > 0) this.#schedule(Math.max(restMinMs, tookMs / backgroundShare - tookMs));
  }
}

/** Returns a kept count with what devices have reported since. */
function updated(kept: Kept | undefined, counters: Counters): TaskCount {
  const before = kept?.counters ?? new Map<DeviceTaskState, number>();
  const found = { ...(kept?.count.devices ?? nothing) };
  for (const [field, state] of Object.entries(fields) as [keyof typeof fields, DeviceTaskState][])
    found[field] = Math.max(0, found[field] + (counters.get(state) ?? 0) - (before.get(state) ?? 0));
  const reported = [...counters.values()].reduce((sum, devices) => sum + devices, 0);
  found.total = Math.max(found.total, kept === undefined ? reported : 0);
  return {
    devices: found,
    absentSinceMs: kept?.count.absentSinceMs ?? null,
    absentList: kept?.count.absentList ?? [],
    countedAtMs: kept?.count.countedAtMs ?? null,
  };
}

const nothing: TaskSummary["devices"] = {
  total: 0,
  complete: 0,
  rebootPending: 0,
  failed: 0,
  superseded: 0,
  expired: 0,
  offline: 0,
  absent: 0,
};

/** Counts the devices of a task, a batch at a time, in turns with requests. */
async function countTask(
  context: CountContext,
  { task, scope }: { readonly task: TaskRecord; readonly scope: Scope },
  isClosed: () => boolean,
): Promise<TaskCount & { readonly rows: number }> {
  const { changeHub, nowMs } = context;
  const devices = { ...nothing };
  const absent: DeviceRecord[] = [];
  let [absentSinceMs, rows]: [number | null, number] = [null, 0];
  for await (const part of taskDeviceParts(context, task, scope)) {
    rows += part.rows;
    for (const device of part.counted) {
      const { state } = stateOnDevice(task, device, part.reports.get(device.id), part.higher, nowMs());
      devices.total++;
      for (const [field, one] of Object.entries(fields))
        if (state === one) devices[field as keyof typeof fields]++;
      if (!endStates.has(state) && !changeHub.isConnected(device.id)) devices.offline++;
    }
    for (const device of part.absent) {
      devices.absent++;
      absentSinceMs = Math.max(absentSinceMs ?? 0, device.lastSeenAtMs);
      if (absent.length < absentListMax) absent.push(device);
    }
    if (isClosed()) break;
  }
  const absentList = absent.map(({ id, hostname, lastSeenAtMs }) => ({
    deviceId: id,
    hostname,
    lastSeenAtMs,
  }));
  return { devices, absentSinceMs, absentList, countedAtMs: nowMs(), rows };
}
