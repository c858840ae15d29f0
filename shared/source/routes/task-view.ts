/**
 * View of a task for administrators, from the reports of its devices: counts, a row per subnet and
 * a row per device.
 */
import type { DeviceRecord, LeaseState, ProgressRecord, TaskRecord, TaskReport } from "../catalog/index.ts";
import { absentListMax } from "../../api/schema/admin.ts";
import type { TaskDetail, TaskDevice, TaskSubnet, TaskSummary } from "../../api/schema/admin.ts";
import { endStates, type DeviceTaskState, type Progress } from "../../api/schema/common.ts";
import { reason, type Reason } from "../../model/reason.ts";
import { shownState } from "../../model/task-life.ts";
import type { SourceContext } from "../context.ts";
import { higherTasks, supersededBy, type HigherTask } from "../supersession.ts";
import { taskDevicesReader } from "../task-devices.ts";

type ViewContext = Pick<SourceContext, "catalog" | "changeHub" | "acceptsWishes" | "nowMs">;
/** State of a device in a task, and the task that supersedes it there. */
type DeviceState = { readonly state: DeviceTaskState; readonly higher: TaskRecord | null };
type CountedDevice = { readonly state: DeviceTaskState; readonly connected: boolean };

const countState = (rows: readonly { state: DeviceTaskState }[], state: DeviceTaskState): number =>
  rows.filter((row) => row.state === state).length;
const countOffline = (rows: readonly CountedDevice[]): number =>
  rows.filter((row) => !endStates.has(row.state) && !row.connected).length;
const sum = <T>(rows: readonly T[], of: (row: T) => number): number =>
  rows.reduce((total, row) => total + of(row), 0);

/** States that a device knows better than the source. */
const finalStates: ReadonlySet<DeviceTaskState> = new Set([
  "reboot-pending",
  "complete",
  "failed",
  "superseded",
  "running",
]);

/** Returns the state of a device in a task: the one it reported, unless the source knows better. */
export function stateOnDevice(
  task: TaskRecord,
  device: DeviceRecord,
  report: TaskReport | undefined,
  higher: readonly HigherTask[],
  nowMs: number,
): DeviceState {
  const state = report?.state ?? "pending";
  if (task.state === "cancelled" || finalStates.has(state)) return { state, higher: null };
  const found = supersededBy(report, higher, device, nowMs);
  if (found !== null) return { state: "superseded", higher: found };
  return { state: task.expiresAtMs <= nowMs ? "expired" : state, higher: null };
}

function summaryOf(
  task: TaskRecord,
  rows: readonly CountedDevice[],
  absent: readonly DeviceRecord[],
  nowMs: number,
): TaskSummary {
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
    state: shownState(task, nowMs),
    endedWhy: task.endedWhy,
    endedAtMs: task.endedAtMs,
    createdAtMs: task.createdAtMs,
    startAtMs: task.startAtMs,
    startIsLocal: task.startIsLocal,
    deadlineAtMs: task.deadlineAtMs,
    notWhile: [...task.notWhile],
    expiresAtMs: task.expiresAtMs,
    devices: {
      total: rows.length,
      complete: countState(rows, "complete"),
      rebootPending: countState(rows, "reboot-pending"),
      failed: countState(rows, "failed"),
      superseded: countState(rows, "superseded"),
      expired: countState(rows, "expired"),
      offline: countOffline(rows),
      absent: absent.length,
    },
    absentSinceMs: absent.length === 0 ? null : Math.max(...absent.map(({ lastSeenAtMs }) => lastSeenAtMs)),
  };
}

/** Returns all tasks with the counts of their devices. */
export async function taskSummaries(context: ViewContext): Promise<TaskSummary[]> {
  const { catalog, changeHub } = context;
  const nowMs = context.nowMs();
  const tasks = await catalog.tasks.list();
  const devicesOf = await taskDevicesReader(context, tasks);
  const summaries: TaskSummary[] = [];
  for (const task of tasks) {
    const { counted, absent, reports, higher } = await devicesOf(task);
    const rows = counted.map((device) => ({
      state: stateOnDevice(task, device, reports.get(device.id), higher, nowMs).state,
      connected: changeHub.isConnected(device.id),
    }));
    summaries.push(summaryOf(task, rows, absent, nowMs));
  }
  return summaries;
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
    reasons: [reason("not-reported")],
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
  connected: boolean,
): TaskDevice {
  const reported = record?.progress ?? unreportedProgress(task.id, task.packageBytes);
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

/**
 * Returns a task with its subnets and devices.
 *
 * @param list devices in `deviceList`; the counts include all devices
 * @param isVisible whether the person of the request may see a device; the others count nowhere
 */
export async function taskDetail(
  context: ViewContext,
  task: TaskRecord,
  list: keyof typeof listedStates,
  isVisible: (device: DeviceRecord) => boolean,
): Promise<Omit<TaskDetail, "isSigned">> {
  const { catalog, changeHub } = context;
  const nowMs = context.nowMs();
  const all = await catalog.tasks.list();
  const concerned = [task, ...higherTasks(task, all)];
  const read = await taskDevicesReader(context, concerned);
  const { counted, absent: allAbsent, reports, higher } = await read(task);
  const [devices, absent] = [counted.filter(isVisible), allAbsent.filter(isVisible)];
  const progress = await catalog.tasks.progressOf(task.id);
  const leases = await catalog.leases.ofPackage(task.packageId);
  const account = await catalog.wan.ofTask(task.id);
  const places = new Map(devices.map((device) => [device.subnet?.id ?? null, device]));
  const rows = devices.map((device) => {
    const record = progress.get(device.id);
    const state = stateOnDevice(task, device, reports.get(device.id), higher, nowMs);
    return deviceRow(task, device, record, state, changeHub.isConnected(device.id));
  });
  const subnets = [...Map.groupBy(rows, (row) => row.subnetId)].map(([subnetId, ofSubnet]) =>
    subnetRow(ofSubnet, task.packageBytes, {
      cidr: places.get(subnetId)?.subnet?.cidr ?? "",
      name: places.get(subnetId)?.subnetName ?? null,
      site: places.get(subnetId)?.site ?? null,
      lease: leases.get(subnetId ?? ""),
      wanBytes: account.get(subnetId ?? "") ?? 0,
    }),
  );
  return {
    ...summaryOf(task, rows, absent, nowMs),
    subnets,
    absentList: absent
      .slice(0, absentListMax)
      .map(({ id, hostname, lastSeenAtMs }) => ({ deviceId: id, hostname, lastSeenAtMs })),
    deviceList: rows.filter((row) => listedStates[list](row.state)),
  };
}
