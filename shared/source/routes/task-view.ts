/**
 * View of a task for administrators, from the reports of its devices: counts, a row per subnet and
 * a row per device.
 */
import type {
  Catalog,
  DeviceRecord,
  LeaseState,
  PackageRecord,
  ProgressRecord,
  TaskRecord,
} from "../catalog/index.ts";
import type { TaskDetail, TaskDevice, TaskSubnet, TaskSummary } from "../../api/schema/admin.ts";
import type { DeviceTaskState, Progress } from "../../api/schema/common.ts";
import { targetedDevices } from "./agent-tasks.ts";

const isOver = (state: DeviceTaskState): boolean =>
  state === "complete" || state === "failed" || state === "cancelled";
const countState = (rows: readonly { state: DeviceTaskState }[], state: DeviceTaskState): number =>
  rows.filter((row) => row.state === state).length;
const sum = <T>(rows: readonly T[], of: (row: T) => number): number =>
  rows.reduce((total, row) => total + of(row), 0);

function summaryOf(
  task: TaskRecord,
  published: PackageRecord,
  rows: readonly { state: DeviceTaskState }[],
): TaskSummary {
  return {
    id: task.id,
    packageId: task.packageId,
    packageName: published.name,
    packageVersion: published.version,
    packageBytes: published.sizeBytes,
    action: task.action,
    command: task.command,
    run: task.run,
    setting: task.settingName,
    target: task.target,
    state: task.state,
    createdAtMs: task.createdAtMs,
    startAtMs: task.startAtMs,
    devices: {
      total: rows.length,
      complete: countState(rows, "complete"),
      failed: countState(rows, "failed"),
    },
  };
}

/** Returns all tasks with the counts of their devices. */
export async function taskSummaries(catalog: Catalog): Promise<TaskSummary[]> {
  const devices = await catalog.devices.list();
  const packages = new Map((await catalog.packages.list()).map((one) => [one.id, one] as const));
  const summaries: TaskSummary[] = [];
  for (const task of await catalog.tasks.list()) {
    const states = await catalog.tasks.statesOf(task.id);
    const rows = targetedDevices(task, devices).map((device) => ({
      state: states.get(device.id) ?? ("pending" as const),
    }));
    summaries.push(summaryOf(task, packages.get(task.packageId)!, rows));
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
    reason: "The device has not reported yet",
    command: null,
    wrongFrom: [],
  };
}

function deviceRow(
  task: TaskRecord,
  published: PackageRecord,
  device: DeviceRecord,
  record: ProgressRecord | undefined,
): TaskDevice {
  const { taskId: _, ...progress } = record?.progress ?? unreportedProgress(task.id, published.sizeBytes);
  return {
    deviceId: device.id,
    hostname: device.hostname,
    subnetId: device.subnet?.id ?? null,
    updatedAtMs: record?.updatedAtMs ?? task.createdAtMs,
    ...progress,
  };
}

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
  const unfinished = rows.filter((row) => !isOver(row.state));
  if (unfinished.length === 0) return rows.find((row) => row.state !== "complete")?.state ?? "complete";
  if (representative && !isOver(representative.state)) return representative.state;
  const [first, ...others] = [...new Set(unfinished.map((row) => row.state))];
  return others.reduce(
    (most, state) => (countState(unfinished, state) > countState(unfinished, most) ? state : most),
    first!,
  );
}

type SubnetFacts = {
  readonly cidr: string;
  readonly lease: LeaseState | undefined;
  readonly wanBytes: number | null;
};

function subnetRow(rows: readonly TaskDevice[], published: PackageRecord, facts: SubnetFacts): TaskSubnet {
  const representative = representativeOf(rows, facts.lease);
  return {
    subnetId: rows[0]?.subnetId ?? null,
    cidr: facts.cidr,
    representative: representative && {
      deviceId: representative.row.deviceId,
      hostname: representative.row.hostname,
      term: representative.term,
    },
    state: subnetState(rows, representative?.row),
    devices: rows.length,
    complete: countState(rows, "complete"),
    failed: countState(rows, "failed"),
    bytesVerified: sum(rows, (row) => Math.min(row.bytesVerified, published.sizeBytes)),
    bytesTotal: rows.length * published.sizeBytes,
    rateBps: sum(rows, (row) => (isOver(row.state) ? 0 : row.rateBps)),
    wanBytes: facts.wanBytes ?? sum(rows, (row) => row.wanBytesFetched),
    lanBytes: sum(rows, (row) => row.lanBytesSent),
  };
}

/**
 * Returns a task with its subnets and devices.
 *
 * @param list devices in `deviceList`; the counts include all devices
 */
export async function taskDetail(
  catalog: Catalog,
  task: TaskRecord,
  list: "all" | "failed",
): Promise<TaskDetail> {
  const published = (await catalog.packages.byId(task.packageId))!;
  const devices = targetedDevices(task, await catalog.devices.list());
  const progress = await catalog.tasks.progressOf(task.id);
  const leases = await catalog.leases.ofPackage(task.packageId);
  const account = await catalog.wan.sinceTask(task.id);
  const cidrs = new Map(devices.map((device) => [device.subnet?.id ?? null, device.subnet?.cidr ?? ""]));
  const rows = devices.map((device) => deviceRow(task, published, device, progress.get(device.id)));
  const subnets = [...Map.groupBy(rows, (row) => row.subnetId)].map(([subnetId, ofSubnet]) =>
    subnetRow(ofSubnet, published, {
      cidr: cidrs.get(subnetId) ?? "",
      lease: leases.get(subnetId ?? ""),
      wanBytes: published.urls.length === 0 ? (account.get(subnetId ?? "") ?? 0) : null,
    }),
  );
  return {
    ...summaryOf(task, published, rows),
    subnets,
    deviceList: list === "all" ? rows : rows.filter((row) => row.state === "failed"),
  };
}
