/**
 * Removal of devices: by an administrator, by age, and of a credential that several agents use. The
 * credential is barred at once; row and reports stay for the counts of tasks.
 */
import type { RemovalReason } from "../model/enrolment.ts";
import type { RemovedDevice } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";

type RemovalContext = Pick<SourceContext, "catalog" | "changeHub" | "noted" | "metrics" | "log" | "nowMs">;

const events = { removed: "removed", expired: "expired", cloned: "cloned" } as const;

/** Removes devices that are not yet removed, and returns them. */
export async function removeDevices(
  context: RemovalContext,
  ids: readonly string[],
  why: RemovalReason,
): Promise<RemovedDevice[]> {
  const { catalog, changeHub, noted, metrics, log, nowMs } = context;
  const removed = await catalog.life.remove(ids, why, nowMs());
  for (const { id, hostname } of removed) {
    changeHub.disconnect(id);
    metrics.deviceEvents.inc({ event: events[why] });
    log.warn({ device: id, hostname, why }, "device removed: its credential is barred");
  }
  // Tasks may be complete without these devices.
  if (removed.length > 0) for (const { id } of await catalog.tasks.open()) noted.add(id);
  return removed;
}

/** Removes the devices that were not seen for the time of the setting `deviceExpiry`. */
export async function removeUnseenDevices(context: RemovalContext): Promise<void> {
  const { catalog, changeHub, nowMs } = context;
  const expiryMs = (await catalog.settings.byName("default"))?.values.deviceExpiryMs ?? null;
  if (expiryMs === null) return;
  const unseen = await catalog.life.unseenSince(nowMs() - expiryMs);
  await removeDevices(
    context,
    unseen.filter((id) => !changeHub.isConnected(id)),
    "expired",
  );
}
