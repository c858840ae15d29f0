/**
 * View of a task for administrators, from the reports of its devices: counts, a row per subnet and
 * a row per device, both a page at a time.
 */
import * as v from "valibot";
import type { DeviceKey, DeviceRecord, LeaseState, ProgressRecord, TaskRecord } from "../catalog/index.ts";
import type { TaskDetail, TaskDevice, TaskSubnet, TaskSummary } from "../../api/schema/admin.ts";
import { endStates, type DeviceTaskState, type Progress } from "../../api/schema/common.ts";
import type { PageQuery } from "../../api/schema/page.ts";
import { reason, type Reason } from "../../model/reason.ts";
import type { Scope } from "../../model/role.ts";
import { shownState } from "../../model/task-life.ts";
import type { SourceContext } from "../context.ts";
import { cursorOf, keyIn, readPage, type Page } from "../page.ts";
import { higherTasks } from "../supersession.ts";
import type { TaskCount } from "../task-count.ts";
import { taskDevicesIn, taskFilter } from "../task-devices.ts";
import { wakeReasons } from "../wake-reason.ts";
import { stateOnDevice, type DeviceState } from "../task-state.ts";

type ViewContext = Pick<SourceContext, "catalog" | "changeHub" | "acceptsWishes" | "nowMs" | "counts">;
type CountedDevice = { readonly state: DeviceTaskState; readonly connected: boolean };

const countState = (rows: readonly { state: DeviceTaskState }[], state: DeviceTaskState): number =>
  rows.filter((row) => row.state === state).length;
const countOffline = (rows: readonly CountedDevice[]): number =>
  rows.filter((row) => !endStates.has(row.state) && !row.connected).length;
const sum = <T>(rows: readonly T[], of: (row: T) => number): number =>
  rows.reduce((total, row) => total + of(row), 0);

function summaryOf(
  task: TaskRecord,
  { devices, absentSinceMs, countedAtMs }: TaskCount,
  nowMs: number,
): Omit<TaskSummary, "isSigned"> {
  return {
    id: task.id,
    packageId: task.packageId,
    packageName: task.packageName,
    packageVersion: task.packageVersion,
    packageBytes: task.packageBytes,
    action: task.action,
    command: task.command,
    run: task.run,
    setting: task.setting,
    target: task.target,
    version: task.version,
    allowDowngrade: task.allowDowngrade,
    after: task.after,
    image: task.image,
    state: shownState(task, nowMs),
    endedWhy: task.endedWhy,
    endedAtMs: task.endedAtMs,
    createdAtMs: task.createdAtMs,
    startAtMs: task.startAtMs,
    startIsLocal: task.startIsLocal,
    deadlineAtMs: task.deadlineAtMs,
    notWhile: [...task.notWhile],
    wakes: task.wakes,
    expiresAtMs: task.expiresAtMs,
    devices,
    absentSinceMs,
    countedAtMs,
  };
}

/** Returns tasks with the counts of their devices. */
export async function taskSummaries(
  context: ViewContext,
  tasks: readonly TaskRecord[],
): Promise<Omit<TaskSummary, "isSigned">[]> {
  const counts = await context.counts.of(tasks);
  return tasks.map((task, index) => summaryOf(task, counts[index]!, context.nowMs()));
}

function unreportedProgress(taskId: number, bytesTotal: number): Progress {
  return {
    taskId,
    state: "pending",
    role: "none",
    term: 0,
    bytesTotal,
    bytesVerified: 0,
    from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
    wanBytesFetched: 0,
    lanBytesSent: 0,
    rateBps: 0,
    way: "none",
    reasons: [],
    command: null,
    follows: null,
    wrongFrom: [],
    receivedFrom: [],
    attempt: 1,
    epoch: "",
    createdAtMs: 0,
  };
}

function deviceRow(
  task: TaskRecord,
  device: DeviceRecord,
  record: ProgressRecord | undefined,
  { state, higher }: DeviceState,
  { connected, wake }: { readonly connected: boolean; readonly wake: readonly Reason[] },
): TaskDevice {
  const reported = record?.progress ?? {
    ...unreportedProgress(task.id, task.packageBytes),
    reasons: [reason("not-reported"), ...wake],
  };
  const { taskId: _id, epoch: _epoch, createdAtMs: _createdAtMs, ...progress } = reported;
  return {
    deviceId: device.id,
    hostname: device.hostname,
    name: device.name,
    subnetId: device.subnet?.id ?? null,
    updatedAtMs: record?.updatedAtMs ?? task.createdAtMs,
    connected,
    lastSeenAtMs: device.lastSeenAtMs,
    ...progress,
    ...(state === progress.state ? {} : { state, reasons: [reasonOf(higher)] }),
  };
}

const reasonOf = (higher: TaskRecord | null): Reason =>
  higher === null
    ? reason("expired")
    : reason("higher-version-runs", { version: higher.packageVersion, taskId: higher.id });

function representativeOf(
  rows: readonly TaskDevice[],
  lease: LeaseState | undefined,
): { row: TaskDevice; term: number } | null {
  const leading = rows
    .filter((row) => row.role === "representative")
    .toSorted((a, b) => b.term - a.term || b.updatedAtMs - a.updatedAtMs)[0];
  if (leading) return { row: leading, term: leading.term };
  // When all devices are done, no device is representative: the last holder of the lease did the
  // work.
  const last = rows.find((row) => row.deviceId === lease?.holder?.deviceId);
  return last === undefined ? null : { row: last, term: lease!.holder!.term };
}

function subnetState(rows: readonly TaskDevice[], representative: TaskDevice | undefined): DeviceTaskState {
  const unfinished = rows.filter((row) => !endStates.has(row.state));
  if (unfinished.length === 0) return rows.find((row) => row.state !== "complete")?.state ?? "complete";
  if (representative && !endStates.has(representative.state)) return representative.state;
  const [first, ...others] = [...new Set(unfinished.map((row) => row.state))];
  return others.reduce(
    (most, state) => (countState(unfinished, state) > countState(unfinished, most) ? state : most),
    first!,
  );
}

type SubnetFacts = {
  readonly cidr: string;
  readonly name: string | null;
  readonly site: string | null;
  readonly lease: LeaseState | undefined;
  readonly wanBytes: number;
};

function subnetRow(rows: readonly TaskDevice[], packageBytes: number, facts: SubnetFacts): TaskSubnet {
  const representative = representativeOf(rows, facts.lease);
  return {
    subnetId: rows[0]?.subnetId ?? null,
    cidr: facts.cidr,
    name: facts.name,
    site: facts.site,
    representative: representative && {
      deviceId: representative.row.deviceId,
      hostname: representative.row.hostname,
      term: representative.term,
    },
    state: subnetState(rows, representative?.row),
    devices: rows.length,
    complete: countState(rows, "complete"),
    rebootPending: countState(rows, "reboot-pending"),
    failed: countState(rows, "failed"),
    superseded: countState(rows, "superseded"),
    expired: countState(rows, "expired"),
    offline: countOffline(rows),
    bytesVerified: sum(rows, (row) => Math.min(row.bytesVerified, packageBytes)),
    bytesTotal: rows.length * packageBytes,
    rateBps: sum(rows, (row) => (endStates.has(row.state) ? 0 : row.rateBps)),
    wanBytes: facts.wanBytes,
    lanBytes: sum(rows, (row) => row.lanBytesSent),
  };
}

/** Whether a list has devices in a state. */
const listedStates = {
  all: () => true,
  failed: (state: DeviceTaskState) => state === "failed",
  unfinished: (state: DeviceTaskState) => state === "failed" || !endStates.has(state),
} as const;
export type ListedDevices = keyof typeof listedStates;

type RowReader = (devices: readonly DeviceRecord[]) => Promise<Map<string, TaskDevice>>;

/** Returns the function that makes rows of devices; devices that do not count have none. */
async function rowReader(context: ViewContext, task: TaskRecord): Promise<RowReader> {
  const { catalog, changeHub } = context;
  const concerned = [task, ...higherTasks(task, await catalog.tasks.list())];
  const divide = taskDevicesIn(context, concerned);
  return async (devices) => {
    const { counted, reports, higher } = await divide(task, devices);
    const progress = await catalog.tasks.progressFor(
      task.id,
      counted.map(({ id }) => id),
    );
    const wakes = task.wakes ? await wakeReasons(context, task, counted) : null;
    return new Map(
      counted.map((device) => {
        const state = stateOnDevice(task, device, reports.get(device.id), higher, context.nowMs());
        const row = deviceRow(task, device, progress.get(device.id), state, {
          connected: changeHub.isConnected(device.id),
          wake: wakes?.get(device.id) ?? [],
        });
        return [device.id, row] as const;
      }),
    );
  };
}

const deviceKeySchema = v.pipe(v.tuple([v.number(), v.string()]), v.readonly());
type DeviceQuery = PageQuery & {
  readonly devices: ListedDevices;
  readonly state?: DeviceTaskState | undefined;
  readonly subnet?: string | undefined;
};

/** Returns a page of the devices of a task, in the order of their enrolment. */
export async function taskDevicePage(
  context: ViewContext,
  task: TaskRecord,
  query: DeviceQuery,
  scope: Scope,
): Promise<Page<TaskDevice>> {
  const { devices: list, state, subnet: subnetId } = query;
  const rowsOf = await rowReader(context, task);
  // A failure is what the device reported.
  const reported = list === "failed" || state === "failed" ? "failed" : undefined;
  const filter = { ...taskFilter(context, task, scope), subnetId, reported } as const;
  type Row = { readonly key: DeviceKey; readonly row: TaskDevice | null };
  const { rows, next } = await readPage({
    query,
    after: keyIn(query, deviceKeySchema),
    async read(after: DeviceKey | null, limit): Promise<Row[]> {
      const order = { order: "enrolledAtMs", isDescending: false, after, limit } as const;
      const devices = await context.catalog.deviceList.page({ ...filter, ...order });
      const own = await rowsOf(devices);
      return devices.map(({ enrolledAtMs, id }) => ({ key: [enrolledAtMs, id], row: own.get(id) ?? null }));
    },
    keyOf: ({ key }) => key,
    accepts: ({ row }) =>
      row !== null && listedStates[list](row.state) && (state === undefined || row.state === state),
  });
  return { rows: rows.map(({ row }) => row!), next };
}

/** Devices that a page of subnets reads in one step, and in all. */
const subnetBatch = 1_000;
const subnetDevicesMax = 5_000;

/** Returns a page of the subnets of a task, by id; devices on no subnet come first. */
export async function taskSubnetPage(
  context: ViewContext,
  task: TaskRecord,
  query: PageQuery,
  scope: Scope,
): Promise<Page<TaskSubnet>> {
  const { catalog } = context;
  const rowsOf = await rowReader(context, task);
  const filter = { ...taskFilter(context, task, scope), order: "subnetId", isDescending: false } as const;
  const limit = Number(query.limit);
  const last = keyIn(query, v.string());
  const found = new Map<string, { place: DeviceRecord; rows: TaskDevice[] }>();
  // The id of no device is above this one.
  let after: DeviceKey | null = last === null ? null : [last, "~"];
  let [read, end]: [number, string | null] = [0, null];
  for (;;) {
    const devices = await catalog.deviceList.page({ ...filter, after, limit: subnetBatch });
    const own = await rowsOf(devices);
    for (const device of devices) {
      const row = own.get(device.id);
      const id = device.subnet?.id ?? "";
      const subnet = found.get(id);
      if (row !== undefined && subnet === undefined) {
        if (found.size >= limit || read >= subnetDevicesMax) end = [...found.keys()].at(-1) ?? id;
        else found.set(id, { place: device, rows: [row] });
      } else if (row !== undefined) subnet!.rows.push(row);
      if (end !== null) break;
    }
    read += devices.length;
    if (end !== null || devices.length < subnetBatch) break;
    const { subnet, id } = devices.at(-1)!;
    after = [subnet?.id ?? "", id];
  }
  const leases = await catalog.leases.ofPackage(task.packageId);
  const account = await catalog.wan.ofTask(task.id);
  const rows = [...found].map(([id, { place, rows: own }]) =>
    subnetRow(own, task.packageBytes, {
      cidr: place.subnet?.cidr ?? "",
      name: place.subnetName,
      site: place.site,
      lease: leases.get(id),
      wanBytes: account.get(id) ?? 0,
    }),
  );
  return { rows, next: end === null ? null : cursorOf(end) };
}

/** First pages in the detail of a task; the rest is in the lists of subnets and devices. */
const firstSubnets = "100";
const firstDevices = "1000";

/**
 * Returns a task with the first of its subnets and devices.
 * @param list devices in `deviceList`; the counts include all devices
 * @param scope devices outside of it are left out, also of the counts
 */
export async function taskDetail(
  context: ViewContext,
  task: TaskRecord,
  list: ListedDevices | "none",
  scope: Scope,
): Promise<Omit<TaskDetail, "isSigned">> {
  const count = await context.counts.inScope(task, scope);
  const summary = summaryOf(task, count, context.nowMs());
  const { absentList } = count;
  if (list === "none")
    return { ...summary, subnets: [], deviceList: [], absentList, nextSubnets: null, nextDevices: null };
  const subnets = await taskSubnetPage(context, task, { limit: firstSubnets }, scope);
  const devices = await taskDevicePage(context, task, { limit: firstDevices, devices: list }, scope);
  return {
    ...summary,
    subnets: subnets.rows,
    nextSubnets: subnets.next,
    absentList,
    deviceList: devices.rows,
    nextDevices: devices.next,
  };
}
