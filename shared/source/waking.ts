/** Wakes the devices of a task: something changed for them. Reads no row of a device. */
import type { TaskRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { taskScan } from "./task-devices.ts";

type WakeContext = Pick<SourceContext, "catalog" | "changeHub" | "acceptsWishes">;

/**
 * Asks the devices of a task to check in, and returns their number, also of those not connected.
 * Representatives come first: a cancellation stops download and multicast at once.
 */
export async function wake(context: WakeContext, task: TaskRecord): Promise<number> {
  const { catalog, changeHub } = context;
  const leases = [...(await catalog.leases.ofPackage(task.packageId)).values()];
  const leading = new Set(leases.map(({ holder }) => holder?.deviceId));
  const [first, others]: [string[], string[]] = [[], []];
  let devices = 0;
  for await (const { targeted } of taskScan(context, task)) {
    devices += targeted.size;
    for (const id of targeted) if (changeHub.isConnected(id)) (leading.has(id) ? first : others).push(id);
  }
  changeHub.notify(first);
  changeHub.notify(others);
  return devices;
}
