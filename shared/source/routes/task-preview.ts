/**
 * Preview of a task: the devices that its target matches, and the WAN bytes that it would cost. One
 * package crosses the WAN for each subnet where no connected device holds it, and one manifest for
 * each subnet with a device that does not hold it.
 */
import { previewDevicesMax, type TaskPreview } from "../../api/schema/labels.ts";
import { foldedName } from "../../model/glob.ts";
import type { Catalog, DeviceRecord, TaskRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";
import { matchingDevices, scannedDevices } from "../matching-devices.ts";
import { targetedDevices } from "./agent-tasks.ts";
import { grantedManifest } from "./agent-manifest.ts";
import { targetWarnings } from "./target-check.ts";

type Draft = Omit<TaskRecord, "id" | "epoch">;

/** @param before the task that `draft` is an edit of; null for a new one */
export async function previewOf(
  context: SourceContext,
  draft: Draft,
  before: TaskRecord | null,
): Promise<TaskPreview> {
  const { catalog, changeHub } = context;
  const task = { ...draft, id: before?.id ?? 0, epoch: before?.epoch ?? "" };
  const devices = await targetedBy(context, task);
  const earlier = before === null ? [] : await targetedBy(context, before);
  const changed = before === null ? { added: devices.length, dropped: 0 } : changeOf(earlier, devices);
  const holders = await holdersOf(catalog, task);
  const sizes = { packageBytes: task.packageBytes, manifestBytes: await manifestBytesOf(context, task) };
  const isHolder = ({ id }: { readonly id: string }): boolean => holders.has(id);
  const isConnected = (id: string): boolean => changeHub.isConnected(id);
  const onSubnet = await catalog.deviceList.countBySubnet([...holders].filter(isConnected));
  const bySubnet = Map.groupBy(devices, ({ subnet }) => subnet?.id ?? null);
  const subnets = [...bySubnet].map(([subnetId, targeted]) =>
    subnetOf({ targeted, holders: onSubnet.get(subnetId) ?? 0, isHolder, isConnected }, sizes),
  );
  const first = before === null ? await firstOf(context, task) : devices.slice(0, previewDevicesMax);
  subnets.sort((a, b) => (a.cidr < b.cidr ? -1 : a.cidr > b.cidr ? 1 : 0));
  return {
    taskId: before?.id ?? null,
    packageId: task.packageId,
    packageName: task.packageName,
    packageVersion: task.packageVersion,
    packageBytes: task.packageBytes,
    target: task.target,
    devices: devices.length,
    ...changed,
    subnets,
    deviceList: first.map((device) => ({
      deviceId: device.id,
      hostname: device.hostname,
      subnetId: device.subnet?.id ?? null,
      connected: changeHub.isConnected(device.id),
      holds: isHolder(device),
    })),
    devicesLeft: Math.max(0, devices.length - previewDevicesMax),
    packageWanBytes: subnets.reduce((sum, one) => sum + one.packageWanBytes, 0),
    manifestWanBytes: subnets.reduce((sum, one) => sum + one.manifestWanBytes, 0),
    warnings: await targetWarnings(context, task.target),
  };
}

/** Returns the devices that a task would be for, or is for. */
async function targetedBy(context: SourceContext, task: TaskRecord): Promise<PreviewDevice[]> {
  if (task.id !== 0) return targetedDevices(context, task);
  const found: PreviewDevice[] = [];
  for await (const devices of scannedDevices(context, task.target))
    for (const device of devices) if (!device.isWaiting) found.push(device);
  return found;
}

/** Returns the number of devices that an edit adds, and of those that it drops. */
function changeOf(
  before: readonly PreviewDevice[],
  after: readonly PreviewDevice[],
): Pick<TaskPreview, "added" | "dropped"> {
  const [earlier, later] = [before, after].map((list) => new Set(list.map(({ id }) => id)));
  return { added: later!.difference(earlier!).size, dropped: earlier!.difference(later!).size };
}

/** Returns the devices of a new task that are listed, in the order of their enrolment. */
async function firstOf(context: SourceContext, { target }: TaskRecord): Promise<PreviewDevice[]> {
  const first: PreviewDevice[] = [];
  for await (const device of matchingDevices(context, target)) {
    if (device.life.state !== "waiting") first.push(device);
    if (first.length >= previewDevicesMax) break;
  }
  return first;
}

type PreviewDevice = Pick<DeviceRecord, "id" | "hostname" | "subnet" | "subnetName" | "site">;
type SubnetDevices = {
  /** At least one. */
  readonly targeted: readonly PreviewDevice[];
  /** Connected devices of the subnet that hold the package, targeted or not. */
  readonly holders: number;
  readonly isHolder: (device: PreviewDevice) => boolean;
  readonly isConnected: (deviceId: string) => boolean;
};

function subnetOf(
  { targeted, holders, isHolder, isConnected }: SubnetDevices,
  sizes: { readonly packageBytes: number; readonly manifestBytes: number },
): TaskPreview["subnets"][number] {
  const { subnet, subnetName, site } = targeted[0]!;
  const isMissing = !targeted.every(isHolder);
  return {
    subnetId: subnet?.id ?? null,
    name: subnetName,
    site,
    cidr: subnet?.cidr ?? "",
    devices: targeted.length,
    connected: targeted.filter(({ id }) => isConnected(id)).length,
    holding: targeted.filter(isHolder).length,
    holders,
    packageWanBytes: isMissing && holders === 0 ? sizes.packageBytes : 0,
    manifestWanBytes: isMissing ? sizes.manifestBytes : 0,
  };
}

/** Returns the devices that reported a complete copy of the task's package. */
async function holdersOf(
  { devicePackages }: Catalog,
  { packageName, packageVersion }: Draft,
): Promise<ReadonlySet<string>> {
  const versions = await devicePackages.ofPackage(packageName);
  const holds = (version: string): boolean => foldedName(version) === foldedName(packageVersion);
  return new Set(
    [...versions].filter(([, list]) => list.some((one) => holds(one.packageVersion))).map(([id]) => id),
  );
}

async function manifestBytesOf({ catalog }: SourceContext, { packageId }: Draft): Promise<number> {
  const signed = await catalog.packages.signedManifest(packageId);
  return signed === null ? 0 : (await grantedManifest(signed)).compressed.length;
}
