/** The task and the subnet that a request of a device is about. */
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
 * Returns the package and subnet of a request.
 *
 * @throws ApiError 404 or 409 unless this device, on this subnet, takes part in this very task
 */
export async function participation<S extends string | null>(
  context: SourceContext,
  device: DeviceRecord,
  request: { readonly taskId: number; readonly epoch: string; readonly subnetId: S },
): Promise<{ packageId: string; subnetId: S | string }> {
  const { tasks } = context.catalog;
  const task = await taskNamed(context.catalog, request);
  if (task.state !== "active") throw new ApiError(409, `Task ${task.id} is ${task.state}`, "check in again");
  const subnetId = currentSubnetId(device, request.subnetId);
  if ((device.subnet?.id ?? null) !== subnetId) {
    const on = device.subnet === null ? "on no subnet yet" : `on subnet ${device.subnet.id}`;
    throw new ApiError(409, `This device is ${on}, not on ${request.subnetId}`, "check in again");
  }
  const targeting = await openTargeting(context, [task.target], device.id);
  const isTargeted = targeting.isFor(task, device, (await tasks.reportsBy(device.id)).get(task.id));
  if (!isTargeted) {
    throw new ApiError(409, `Task ${task.id} no longer targets this device`, "check in again");
  }
  return { packageId: task.packageId, subnetId };
}
