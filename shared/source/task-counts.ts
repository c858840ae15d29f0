/**
 * Counts of the devices of tasks. A request counts few devices itself. The counts of large tasks
 * are kept: the devices are counted in the background, and the counters of reports, which the
 * catalog keeps at write time, tell what has changed since.
 */
import type { TaskSummary } from "../api/schema/admin.ts";
import { absentListMax } from "../api/schema/admin.ts";
import { endStates, type DeviceTaskState } from "../api/schema/common.ts";
import type { DeviceKey, DeviceRecord, TaskRecord } from "./catalog/index.ts";
import type { Logger } from "../log.ts";
import type { Scope } from "../model/role.ts";
import type { TaskCount, TaskCounter } from "./task-count.ts";
import { stateOnDevice } from "./task-state.ts";
import { higherTasks } from "./supersession.ts";
import { taskDevicesIn, taskFilter, type ReadContext } from "./task-devices.ts";

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
const batchRows = 500;
/** Share of the time that background counts take. */
const backgroundShare = 0.05;
const restMinMs = 100;
/** Tasks that nobody has looked at for this time are not counted. */
const wantedMs = 300_000;

const fields = {
  complete: "complete",
  rebootPending: "reboot-pending",
  failed: "failed",
  superseded: "superseded",
  expired: "expired",
} as const satisfies Record<string, DeviceTaskState>;

/** Whether a count is of this content of the task. */
const versionOf = ({ version, state, epoch }: TaskRecord): string => `${epoch} ${version} ${state}`;

export class TaskCounts implements TaskCounter {
  readonly #context: CountContext;
  readonly #kept = new Map<number, Kept>();
  /** Tasks to count in the background, and the time when they were asked for. */
  readonly #wanted = new Map<number, number>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  constructor(context: CountContext) {
    this.#context = context;
  }

  /** Returns the counts of these tasks, in their order. */
  async of(tasks: readonly TaskRecord[]): Promise<TaskCount[]> {
    const { catalog, nowMs } = this.#context;
    const all = await catalog.tasks.list();
    const counters = await catalog.tasks.counters(tasks.map(({ id }) => id));
    const fleet = await catalog.devices.count();
    const counts: TaskCount[] = [];
    let rowsLeft = rowsPerRequest;
    for (const task of tasks) {
      const known = this.#kept.get(task.id);
      const kept = known?.version === versionOf(task) ? known : undefined;
      const rows = kept?.rows ?? fleet;
      if (rows <= rowsLeft) {
        const counted = await this.#count(task, all);
        rowsLeft -= Math.max(counted.rows, 1);
        counts.push(counted.count);
        continue;
      }
      this.#wanted.set(task.id, nowMs());
      counts.push(updated(kept, counters.get(task.id) ?? new Map()));
    }
    if (this.#wanted.size > 0) this.#schedule(restMinMs);
    return counts;
  }

  /** Returns the counts of a task without the devices outside of a scope. */
  async inScope(task: TaskRecord, scope: Scope): Promise<TaskCount> {
    if (scope.length === 0) return (await this.of([task]))[0]!;
    const all = await this.#context.catalog.tasks.list();
    const { rows: _, ...count } = await countTask(this.#context, { task, all, scope }, () => this.#isClosed);
    return count;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #count(task: TaskRecord, all: readonly TaskRecord[]): Promise<Kept> {
    const { catalog } = this.#context;
    const counters = (await catalog.tasks.counters([task.id])).get(task.id) ?? new Map();
    const { rows, ...count } = await countTask(this.#context, { task, all, scope: [] }, () => this.#isClosed);
    const kept = { count, counters, version: versionOf(task), rows };
    this.#kept.set(task.id, kept);
    return kept;
  }

  #schedule(restMs: number): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => void this.#countOldest(), restMs).unref();
  }

  /** Counts the wanted task whose count is the oldest. */
  async #countOldest(): Promise<void> {
    const { catalog, log, nowMs } = this.#context;
    const beganMs = performance.now();
    try {
      for (const [id, atMs] of this.#wanted) if (nowMs() - atMs > wantedMs) this.#wanted.delete(id);
      const ageOf = (id: number): number => this.#kept.get(id)?.count.countedAtMs ?? 0;
      const [id] = [...this.#wanted.keys()].toSorted((a, b) => ageOf(a) - ageOf(b));
      if (id !== undefined) {
        const task = await catalog.tasks.byId(id);
        if (task === null) {
          this.#wanted.delete(id);
          this.#kept.delete(id);
        } else await this.#count(task, await catalog.tasks.list());
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
  { task, all, scope }: { task: TaskRecord; all: readonly TaskRecord[]; scope: Scope },
  isClosed: () => boolean,
): Promise<TaskCount & { readonly rows: number }> {
  const { catalog, changeHub, nowMs } = context;
  const divide = await taskDevicesIn(context, [task, ...higherTasks(task, all)]);
  const filter = { ...taskFilter(context, task, scope), order: "enrolledAtMs", isDescending: false } as const;
  const devices = { ...nothing };
  const absent: DeviceRecord[] = [];
  let [absentSinceMs, rows]: [number | null, number] = [null, 0];
  for (let after: DeviceKey | null = null; !isClosed();) {
    const batch: DeviceRecord[] = await catalog.deviceList.page({ ...filter, after, limit: batchRows });
    rows += batch.length;
    const divided = await divide(task, batch);
    for (const device of divided.counted) {
      const report = divided.reports.get(device.id);
      const { state } = stateOnDevice(task, device, report, divided.higher, nowMs());
      devices.total++;
      for (const [field, one] of Object.entries(fields))
        if (state === one) devices[field as keyof typeof fields]++;
      if (!endStates.has(state) && !changeHub.isConnected(device.id)) devices.offline++;
    }
    for (const device of divided.absent) {
      devices.absent++;
      absentSinceMs = Math.max(absentSinceMs ?? 0, device.lastSeenAtMs);
      if (absent.length < absentListMax) absent.push(device);
    }
    if (batch.length < batchRows) break;
    after = [batch.at(-1)!.enrolledAtMs, batch.at(-1)!.id];
    await Bun.sleep(0);
  }
  const absentList = absent.map(({ id, hostname, lastSeenAtMs }) => ({
    deviceId: id,
    hostname,
    lastSeenAtMs,
  }));
  return { devices, absentSinceMs, absentList, countedAtMs: nowMs(), rows };
}
