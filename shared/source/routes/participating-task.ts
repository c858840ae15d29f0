/** The task that a request of a device is about. */
import { isTargeted, type DeviceRecord, type TaskRecord } from "../catalog/index.ts";
import { ApiError } from "../api-error.ts";
import type { SourceContext } from "../context.ts";
import { taskById } from "./agent-tasks.ts";

/**
 * Returns the task of a request.
 *
 * @throws ApiError 404 or 409 unless this device, on this subnet, takes part in the task
 */
export async function participatingTask(
  { catalog }: SourceContext,
  device: DeviceRecord,
  request: { taskId: number; subnetId: string | null },
): Promise<TaskRecord> {
  const task = await taskById(catalog, request.taskId);
  if (task.state === "cancelled") throw new ApiError(409, `Task ${task.id} was cancelled`, "drop it");
  if ((device.subnet?.id ?? null) !== request.subnetId) {
    const on = device.subnet === null ? "on no subnet yet" : `on subnet ${device.subnet.id}`;
    throw new ApiError(409, `This device is ${on}, not on ${request.subnetId}`, "check in again");
  }
  if (!isTargeted(task.target, device)) {
    throw new ApiError(409, `Task ${task.id} no longer targets this device`, "check in again");
  }
  return task;
}
