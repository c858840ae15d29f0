/**
 * Devices that come back after a task ended without them: the task is open again until they have
 * completed it, unless it has expired or its package is gone.
 */
import type { DeviceRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { openTargeting } from "./targeting.ts";

type ReturnContext = Pick<SourceContext, "catalog" | "acceptsWishes" | "noted" | "log" | "nowMs">;

/** Opens the tasks that ended without this device. */
export async function openEndedWithout(context: ReturnContext, device: DeviceRecord): Promise<void> {
  const { catalog, noted, log, nowMs } = context;
  if (device.life.state === "waiting") return;
  for (const taskId of await catalog.life.endedWithout(device.id)) {
    const task = await catalog.tasks.byId(taskId);
    if (task === null) continue;
    const targeting = await openTargeting(context, [task.target], [device.id]);
    if (!targeting.matches(task.target, device)) continue;
    if ((await catalog.packages.byId(task.packageId))?.state !== "ready") continue;
    let isOpened = false;
    await catalog.tasks.change(taskId, ({ state, expiresAtMs }) => {
      isOpened = state === "ended" && expiresAtMs > nowMs();
      return isOpened ? { state: "active", endedWhy: null, endedAtMs: null } : null;
    });
    if (!isOpened) continue;
    await catalog.life.forgetAbsent(taskId);
    noted.add(taskId);
    log.info({ taskId, device: device.id }, "task open again: a device that was not seen has come back");
  }
}
