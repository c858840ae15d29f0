/**
 * Removal of devices: by an administrator, by age, and of a credential that several agents use. The
 * credential is barred at once; row and reports stay for the counts of tasks.
 */
import type { RemovalReason } from "../model/enrolment.ts";
import { resolveSetting, rootSetting } from "../model/setting-inheritance.ts";
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
  if (removed.length === 0) return removed;
  // The others need keys that the removed devices do not have.
  changeHub.notify(await catalog.lanKeys.renewWithout(ids, nowMs()));
  // Tasks may be complete without these devices.
  for (const { id } of await catalog.tasks.open()) noted.add(id);
  return removed;
}

/** Without contact with any device for this time, the source was off or is an old backup. */
const outageMs = 86_400_000;

/**
 * Removes the devices that were not seen for the time of the setting `deviceExpiry`. After an
 * outage of the source, each device has the whole time again.
 */
export async function removeUnseenDevices(context: RemovalContext): Promise<void> {
  const { catalog, changeHub, nowMs } = context;
  const lastMs = changeHub.connectedDevices > 0 ? nowMs() : await catalog.life.lastContactMs();
  if (lastMs !== null && nowMs() - lastMs > outageMs) await catalog.life.setExpiryFrom(nowMs());
  const expiryMs = resolveSetting(await catalog.settings.tree(), rootSetting).values.deviceExpiryMs;
  if (expiryMs === null || nowMs() - (await catalog.life.expiryFromMs()) < expiryMs) return;
  const unseen = await catalog.life.unseenSince(nowMs() - expiryMs);
  await removeDevices(
    context,
    unseen.filter((id) => !changeHub.isConnected(id)),
    "expired",
  );
}
