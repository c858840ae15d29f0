/** Task, subnet and address that a request of a device is about. */
import { mayBeNeighbour } from "../../model/neighbour.ts";
import { canonicalAddress } from "../../model/subnet.ts";
import type { DeviceRecord } from "../catalog/index.ts";
import { ApiError } from "../api-error.ts";
import type { SourceContext } from "../context.ts";
import { openTargeting } from "../targeting.ts";
import { taskNamed } from "./agent-tasks.ts";

/** Returns the subnet that a request names, after a merge that the device does not know yet. */
export const currentSubnetId = <S extends string | null>(
  { subnet, ownSubnet }: DeviceRecord,
  subnetId: S,
): S | string => (subnet !== null && ownSubnet?.id === subnetId ? subnet.id : subnetId);

/**
 * Returns the package and subnet of a request, and the name under which the device shares lease,
 * tokens and manifest with others.
 *
 * @throws ApiError 404 or 409 unless this device, on this subnet, takes part in this very task
 */
export async function participation<S extends string | null>(
  context: SourceContext,
  device: DeviceRecord,
  request: { readonly taskId: number; readonly epoch: string; readonly subnetId: S },
): Promise<{ packageId: string; subnetId: S | string; share: S | string }> {
  const { tasks } = context.catalog;
  const task = await taskNamed(context.catalog, request);
  if (task.state !== "active") throw new ApiError(409, `Task ${task.id} is ${task.state}`, "check in again");
  const subnetId = currentSubnetId(device, request.subnetId);
  if ((device.subnet?.id ?? null) !== subnetId) {
    const on = device.subnet === null ? "on no subnet yet" : `on subnet ${device.subnet.id}`;
    throw new ApiError(409, `This device is ${on}, not on ${request.subnetId}`, "check in again");
  }
  const targeting = await openTargeting(context, [task.target], [device.id]);
  const isTargeted = targeting.isFor(task, device, (await tasks.reportsBy(device.id)).get(task.id));
  if (!isTargeted) {
    throw new ApiError(409, `Task ${task.id} no longer targets this device`, "check in again");
  }
  // A device on no subnet has no share either.
  return { packageId: task.packageId, subnetId, share: device.share ?? subnetId };
}

/**
 * Checks the address that a request names for the device's neighbours: the one of its check-in.
 *
 * @throws ApiError 409 for another address
 */
export function checkAddress({ lanAddress, subnet }: DeviceRecord, address: string): void {
  if (subnet === null || lanAddress === null) return;
  const isOwn = canonicalAddress(address) === canonicalAddress(lanAddress);
  if (isOwn && mayBeNeighbour({ address: "", cidr: subnet.cidr }, address)) return;
  const what = `${address} is not the address of this device's interface in ${subnet.cidr}`;
  throw new ApiError(409, what, "check in again");
}

/**
 * Returns whether an open task of the package is for the device.
 */
export async function needsPackage(
  context: Pick<SourceContext, "catalog" | "acceptsWishes">,
  device: DeviceRecord,
  packageId: string,
): Promise<boolean> {
  if (device.life.state === "waiting") return false;
  const { tasks } = context.catalog;
  const open = (await tasks.open()).filter((task) => task.packageId === packageId);
  if (open.length === 0) return false;
  const targets = open.map(({ target }) => target);
  const targeting = await openTargeting(context, targets, [device.id]);
  const reports = await tasks.reportsBy(device.id);
  return open.some((task) => targeting.isFor(task, device, reports.get(task.id)));
}
