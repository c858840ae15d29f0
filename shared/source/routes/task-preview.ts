/**
 * Preview of a task: the devices that its target matches, and the WAN bytes that it would cost. One
 * package crosses the WAN for each subnet where no connected device holds it, and one manifest for
 * each subnet with a device that does not hold it.
 */
import { previewDevicesMax, type TaskPreview } from "../../api/schema/labels.ts";
import { foldedName } from "../../model/glob.ts";
import type { Catalog, DeviceRecord, TaskRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";
import { openTargeting } from "../targeting.ts";
import { grantedManifest } from "./agent-manifest.ts";
import { targetWarnings } from "./target-check.ts";

type Draft = Omit<TaskRecord, "id">;

/** @param before the task that `draft` is an edit of; null for a new one */
export async function previewOf(
  context: SourceContext,
  draft: Draft,
  before: TaskRecord | null,
): Promise<TaskPreview> {
  const { catalog, changeHub } = context;
  const task = { ...draft, id: before?.id ?? 0 };
  const targets = before === null ? [draft.target] : [draft.target, before.target];
  const targeting = await openTargeting(context, targets);
  const all = await catalog.devices.list();
  const reports = before === null ? new Map() : await catalog.tasks.reportsOf(before.id);
  const devices = targeting.devicesOf(task, all, reports);
  const earlier = before === null ? [] : targeting.devicesOf(before, all, reports);
  const [ids, earlierIds] = [devices, earlier].map((list) => new Set(list.map(({ id }) => id)));
  const holders = await holdersOf(catalog, task);
  const sizes = { packageBytes: task.packageBytes, manifestBytes: await manifestBytesOf(context, task) };
  const isHolder = ({ id }: DeviceRecord): boolean => holders.has(id);
  const bySubnet = Map.groupBy(devices, ({ subnet }) => subnet?.id ?? null);
  const subnets = [...bySubnet].map(([subnetId, targeted]) => {
    const holding = all.filter((one) => one.subnet?.id === subnetId && isHolder(one));
    return subnetOf({ targeted, holding, isHolder, isConnected: (id) => changeHub.isConnected(id) }, sizes);
  });
  return {
    taskId: before?.id ?? null,
    packageId: task.packageId,
    packageName: task.packageName,
    packageVersion: task.packageVersion,
    packageBytes: task.packageBytes,
    target: task.target,
    devices: devices.length,
    added: devices.filter(({ id }) => !earlierIds!.has(id)).length,
    dropped: earlier.filter(({ id }) => !ids!.has(id)).length,
    subnets,
    deviceList: devices.slice(0, previewDevicesMax).map((device) => ({
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

type SubnetDevices = {
  /** At least one. */
  readonly targeted: readonly DeviceRecord[];
  /** Devices of the subnet that hold the package, targeted or not. */
  readonly holding: readonly DeviceRecord[];
  readonly isHolder: (device: DeviceRecord) => boolean;
  readonly isConnected: (deviceId: string) => boolean;
};

function subnetOf(
  { targeted, holding, isHolder, isConnected }: SubnetDevices,
  sizes: { readonly packageBytes: number; readonly manifestBytes: number },
): TaskPreview["subnets"][number] {
  const { subnet, subnetName, site } = targeted[0]!;
  const isMissing = !targeted.every(isHolder);
  const holders = holding.filter(({ id }) => isConnected(id)).length;
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
