/**
 * Preview of a task: the devices that its target matches, and the WAN bytes that it would cost. One
 * package crosses the WAN for each subnet where no connected device holds it, and one manifest for
 * each subnet with a device that does not hold it.
 */
import { previewDevicesMax, type TaskPreview } from "../../api/schema/labels.ts";
import type { ScannedDevice, TaskRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";
import { taskScan } from "../task-devices.ts";
import { grantedManifest } from "./agent-manifest.ts";
import { targetWarnings } from "./target-check.ts";

type Draft = Omit<TaskRecord, "id" | "epoch">;

/** @param before the task that `draft` is an edit of; null for a new one */
export async function previewOf(
  context: SourceContext,
  draft: Draft,
  before: TaskRecord | null,
): Promise<TaskPreview> {
  const task = { ...draft, id: before?.id ?? 0, epoch: before?.epoch ?? "" };
  const sizes = { packageBytes: task.packageBytes, manifestBytes: await manifestBytesOf(context, task) };
  const { devices, added, dropped, bySubnet, first } = await countDevices(context, task, before);
  const subnets = [...bySubnet.values()]
    .filter((subnet) => subnet.devices > 0)
    .map((subnet) => viewOf(subnet, sizes))
    .toSorted((a, b) => (a.cidr < b.cidr ? -1 : a.cidr > b.cidr ? 1 : 0));
  return {
    taskId: before?.id ?? null,
    packageId: task.packageId,
    packageName: task.packageName,
    packageVersion: task.packageVersion,
    packageBytes: task.packageBytes,
    target: task.target,
    devices,
    added,
    dropped,
    subnets,
    deviceList: first.rows,
    devicesLeft: Math.max(0, devices - previewDevicesMax),
    packageWanBytes: subnets.reduce((sum, one) => sum + one.packageWanBytes, 0),
    manifestWanBytes: subnets.reduce((sum, one) => sum + one.manifestWanBytes, 0),
    warnings: await targetWarnings(context, task.target),
  };
}

/** Counts of one subnet. */
type SubnetCount = {
  readonly place: Pick<ScannedDevice, "subnet" | "subnetName" | "site">;
  /** Targeted devices, the connected ones among them, and those that hold the package. */
  devices: number;
  connected: number;
  holding: number;
  /** Connected devices that hold the package, targeted or not. */
  holders: number;
};
type DeviceCounts = {
  devices: number;
  /** Devices that an edit adds, and those that it drops. */
  added: number;
  dropped: number;
  readonly bySubnet: Map<string | null, SubnetCount>;
  readonly first: FirstDevices;
};

/** Goes over all devices once, in turns with requests. */
async function countDevices(
  context: SourceContext,
  task: TaskRecord,
  before: TaskRecord | null,
): Promise<DeviceCounts> {
  const { catalog, changeHub } = context;
  const first = new FirstDevices();
  const counts: DeviceCounts = { devices: 0, added: 0, dropped: 0, bySubnet: new Map(), first };
  const earlier = before === null ? null : new Set(await idsOf(context, before));
  for await (const { devices, range, targeted } of taskScan(context, task)) {
    const holding = await catalog.devicePackages.heldBy(task.packageName, task.packageVersion, range);
    for (const device of devices) {
      const { id } = device;
      const [isTargeted, holds, connected] = [targeted.has(id), holding.has(id), changeHub.isConnected(id)];
      if (earlier !== null && earlier.has(id) !== isTargeted) counts[isTargeted ? "added" : "dropped"]++;
      if (!isTargeted && !(holds && connected)) continue;
      const subnet = countOf(counts.bySubnet, device);
      if (holds && connected) subnet.holders++;
      if (!isTargeted) continue;
      counts.devices++;
      subnet.devices++;
      if (connected) subnet.connected++;
      if (holds) subnet.holding++;
      first.add(device, { connected, holds });
    }
  }
  return before === null ? { ...counts, added: counts.devices } : counts;
}

async function idsOf(context: SourceContext, task: TaskRecord): Promise<string[]> {
  const ids: string[] = [];
  for await (const { targeted } of taskScan(context, task)) ids.push(...targeted);
  return ids;
}

function countOf(
  bySubnet: Map<string | null, SubnetCount>,
  { subnet, subnetName, site }: ScannedDevice,
): SubnetCount {
  const id = subnet?.id ?? null;
  const found = bySubnet.get(id);
  if (found !== undefined) return found;
  const made = { place: { subnet, subnetName, site }, devices: 0, connected: 0, holding: 0, holders: 0 };
  bySubnet.set(id, made);
  return made;
}

function viewOf(
  { place, ...counts }: SubnetCount,
  sizes: { readonly packageBytes: number; readonly manifestBytes: number },
): TaskPreview["subnets"][number] {
  const isMissing = counts.holding < counts.devices;
  return {
    subnetId: place.subnet?.id ?? null,
    name: place.subnetName,
    site: place.site,
    cidr: place.subnet?.cidr ?? "",
    ...counts,
    packageWanBytes: isMissing && counts.holders === 0 ? sizes.packageBytes : 0,
    manifestWanBytes: isMissing ? sizes.manifestBytes : 0,
  };
}

/** The first devices of a task, in the order of their enrolment. */
class FirstDevices {
  readonly #rows: TaskPreview["deviceList"] = [];
  readonly #keys: { readonly atMs: number; readonly id: string }[] = [];

  add(
    { enrolledAtMs: atMs, id, hostname, subnet }: ScannedDevice,
    is: { connected: boolean; holds: boolean },
  ) {
    const isAfter = (key: { readonly atMs: number; readonly id: string }): boolean =>
      key.atMs > atMs || (key.atMs === atMs && key.id > id);
    const isFull = this.#rows.length >= previewDevicesMax;
    if (isFull && !isAfter(this.#keys.at(-1)!)) return;
    const last = this.#keys.findLastIndex((key) => !isAfter(key));
    this.#keys.splice(last + 1, 0, { atMs, id });
    this.#rows.splice(last + 1, 0, { deviceId: id, hostname, subnetId: subnet?.id ?? null, ...is });
    if (!isFull) return;
    this.#keys.pop();
    this.#rows.pop();
  }

  get rows(): TaskPreview["deviceList"] {
    return this.#rows;
  }
}

async function manifestBytesOf({ catalog }: SourceContext, { packageId }: Draft): Promise<number> {
  const signed = await catalog.packages.signedManifest(packageId);
  return signed === null ? 0 : (await grantedManifest(signed)).compressed.length;
}
