/**
 * Measures one task in the lab: completion times, bytes on each link, right copies, CPU and memory.
 */
import { join } from "node:path";
import { reasonsText } from "../../shared/model/reason.ts";
import type { TaskDetail } from "../../shared/api/schema/admin.ts";
import { followTask, originText } from "../rig/task-watch.ts";
import { ledgerPackages } from "../rig/ledger-reader.ts";
import type { SubnetOutcome } from "../rig/table.ts";
import { diskBytesOf, differenceFrom } from "../rig/verify.ts";
import { readCounters, readQuietCounters, trafficBetween, type SiteTraffic } from "./counters.ts";
import type { LabPackage } from "./package.ts";
import type { Impairment, LabSite } from "./site.ts";
import type { Usage, UsageMeter } from "./usage.ts";
import type { World, WorldDevice } from "./world.ts";

/** Result of one device; its fields are those of the JSON output. */
export type DeviceResult = {
  readonly name: string;
  readonly site: string;
  /** Impairment of the device's multicast. */
  readonly hindrance: Impairment | null;
  readonly role: string;
  readonly completeAfterMs: number | null;
  readonly from: string;
  /** Share of the package that came by multicast, 0 … 1. */
  readonly multicastShare: number;
  /** Last reported reason, for example why the device took chunks by unicast. */
  readonly reason: string;
  /** Time until the first chunk by unicast, according to the device's reports. */
  readonly unicastAfterMs: number | null;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly usage: Usage;
  /**
   * Largest number of receipts of a chunk in the ledger; above 1, a verified chunk was fetched
   * again.
   */
  readonly receiptsMax: number;
  /** Bytes that the copy occupies on the disk. */
  readonly diskBytes: number;
  /** Reason why the copy is not right; null when every file equals the original. */
  readonly wrong: string | null;
};
/** Times since the task's creation; null for a phase that was not reached. */
type Phases = { electedMs: number | null; downloadedMs: number | null };
type SiteResult = {
  readonly outcome: SubnetOutcome;
  /** Bytes ÷ package: of the WAN without and with headers, both ways together, and of the LAN. */
  readonly ratios: { readonly wan: number; readonly wanWithHeaders: number; readonly lan: number };
  readonly phases: Phases;
  readonly traffic: SiteTraffic;
};
export type TaskResult = {
  readonly taskId: number;
  readonly sites: readonly SiteResult[];
  readonly devices: readonly DeviceResult[];
  readonly lastMs: number | null;
};

const sampleEveryMs = 500;

async function deviceResult(
  device: WorldDevice,
  seen: {
    sent: LabPackage;
    detail: TaskDetail;
    completeAfterMs: ReadonlyMap<string, number>;
    roles: ReadonlyMap<string, string>;
    unicastAfterMs: ReadonlyMap<string, number>;
  },
  traffic: SiteTraffic,
  usage: UsageMeter,
): Promise<DeviceResult> {
  const known = seen.detail.deviceList.find(({ deviceId }) => deviceId === device.id);
  const port = traffic.ports.find((one) => one.device === device.place.name);
  const { name, version, digests, sizeBytes } = seen.sent;
  const copy = join(device.data, "cache", name, version);
  const difference = await differenceFrom(digests, copy);
  const unfinished =
    known?.state === "complete" ? null : `${known?.state ?? "unknown"}: ${reasonsText(known?.reasons ?? [])}`;
  const listed = device.id === "" ? [] : ledgerPackages(device.data);
  return {
    name: device.place.name,
    site: device.site.name,
    hindrance: device.place.impairment,
    role: seen.roles.get(device.id) ?? "peer",
    completeAfterMs: seen.completeAfterMs.get(device.id) ?? null,
    from: known ? originText(known) : "",
    multicastShare: (known?.from.multicast ?? 0) / sizeBytes,
    reason: reasonsText(known?.reasons ?? []),
    unicastAfterMs: seen.unicastAfterMs.get(device.id) ?? null,
    sentBytes: port?.sentBytes ?? 0,
    receivedBytes: port?.receivedBytes ?? 0,
    usage: usage.of(device.place.name),
    receiptsMax: Math.max(0, ...listed.map(({ receiptsMax }) => receiptsMax)),
    diskBytes: difference === null ? await diskBytesOf(copy) : 0,
    wrong: unfinished ?? difference,
  };
}

function siteResult(
  { name: site, cidr }: LabSite,
  packageBytes: number,
  traffic: SiteTraffic,
  devices: readonly DeviceResult[],
  phases: Phases,
): SiteResult {
  const mine = devices.filter((device) => device.site === site);
  const times = mine.map(({ completeAfterMs }) => completeAfterMs);
  return {
    traffic,
    phases,
    ratios: {
      wan: traffic.wan.payloadBytes / packageBytes,
      wanWithHeaders: traffic.wan.bytes / packageBytes,
      lan: traffic.lanBytes / packageBytes,
    },
    outcome: {
      subnet: `${site} ${cidr}`,
      representative:
        mine
          .filter(({ role }) => role === "representative")
          .map(({ name }) => name)
          .join(", ") || "–",
      packageBytes,
      wanBytes: traffic.wan.payloadBytes,
      lanBytes: traffic.lanBytes,
      timeMs: times.includes(null) ? null : Math.max(...times.map((time) => time ?? 0)),
      devices: mine.length,
      verified: mine.filter(({ wrong }) => wrong === null).length,
    },
  };
}

/** Records when a site's representative was first reported, and when it first held the package. */
function notePhases(world: World, phases: ReadonlyMap<string, Phases>, detail: TaskDetail): void {
  for (const { deviceId, role, state, updatedAtMs } of detail.deviceList) {
    const known = world.devices.find(({ id }) => id === deviceId);
    const site = phases.get(known?.site.name ?? "");
    if (!site || role !== "representative") continue;
    const sinceMs = updatedAtMs - detail.createdAtMs;
    site.electedMs ??= sinceMs;
    if (state === "verifying" || state === "complete") site.downloadedMs ??= sinceMs;
  }
}

/**
 * Creates a task, follows it to its end and measures it.
 * @param devices devices that are to hold the package in the end
 */
export async function measureTask(
  world: World,
  packageId: string,
  devices: readonly WorldDevice[],
  options: {
    readonly limitMs: number;
    /** Version to expect; default: the first one. */
    readonly sent?: LabPackage;
    /** Earlier counters to measure from. Default: those just before the task is created. */
    readonly since?: readonly SiteTraffic[];
    readonly usage: UsageMeter;
    readonly signal: AbortSignal;
    readonly onDetail: (detail: TaskDetail) => void;
  },
): Promise<TaskResult> {
  const before = options.since ?? (await readCounters(world.network));
  const taskId = Number(await world.source.admin("task", "create", packageId, "--action", "pre-cache"));
  const roles = new Map<string, string>();
  const unicastAfterMs = new Map<string, number>();
  const phases = new Map<string, Phases>(
    world.network.sites.map(({ name }) => [name, { electedMs: null, downloadedMs: null }]),
  );
  const sample = async () => {
    await options.usage.sample("source", world.source.program.pid);
    for (const { place, device } of devices)
      if (device) await options.usage.sample(place.name, device.program.pid);
  };
  const timer = setInterval(() => void sample(), sampleEveryMs);
  const followed = await followTask(world.taskStream(taskId, options.signal), {
    devices: devices.length,
    limitMs: options.limitMs,
    onDetail: (detail) => {
      for (const { deviceId, role, from, updatedAtMs } of detail.deviceList) {
        if (role === "representative") roles.set(deviceId, role);
        if (from.peers > 0 && !unicastAfterMs.has(deviceId))
          unicastAfterMs.set(deviceId, updatedAtMs - detail.createdAtMs);
      }
      notePhases(world, phases, detail);
      options.onDetail(detail);
    },
  });
  clearInterval(timer);
  await sample();
  const traffic = trafficBetween(before, await readQuietCounters(world.network));
  await world.untilEnrolled(devices);
  const { sent = world.sent } = options;
  const seen = { ...followed, sent, roles, unicastAfterMs };
  const results: DeviceResult[] = [];
  for (const device of devices) {
    const at = world.network.sites.indexOf(device.site);
    results.push(await deviceResult(device, seen, traffic[at]!, options.usage));
  }
  const times = results.map(({ completeAfterMs }) => completeAfterMs);
  return {
    taskId,
    sites: world.network.sites.map((site, at) =>
      siteResult(site, sent.sizeBytes, traffic[at]!, results, phases.get(site.name)!),
    ),
    devices: results,
    lastMs: times.includes(null) ? null : Math.max(...times.map((time) => time ?? 0)),
  };
}
