/** Wakes the devices of a task: something changed for them. */
import type { TaskRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";
import { targetedDevices } from "./agent-tasks.ts";

/**
 * Asks the targeted devices to check in, and returns their number. Representatives come first: a
 * cancellation stops download and multicast at once.
 */
export async function wake(context: SourceContext, task: TaskRecord): Promise<number> {
  const { catalog, changeHub } = context;
  const devices = (await targetedDevices(context, task)).map((device) => device.id);
  const leases = [...(await catalog.leases.ofPackage(task.packageId)).values()];
  const leading = new Set(leases.map(({ holder }) => holder?.deviceId));
  changeHub.notify(devices.filter((id) => leading.has(id)));
  changeHub.notify(devices.filter((id) => !leading.has(id)));
  return devices.length;
}
