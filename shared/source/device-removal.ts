/**
 * Removal of devices: by an administrator, by age, and of a credential that several agents use. The
 * credential is barred at once; row and reports stay for the counts of tasks.
 */
import type { RemovalReason } from "../model/enrolment.ts";
import { resolveSetting, rootSetting } from "../model/setting-inheritance.ts";
import type { RemovedDevice } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";

type RemovalContext = Pick<SourceContext, "catalog" | "changeHub" | "noted" | "metrics" | "log" | "nowMs">;

const events = {
  removed: "removed",
  expired: "expired",
  cloned: "cloned",
  "imaging-ended": "imaging-ended",
} as const;

/** Removes devices that are not yet removed, and returns them. */
export async function removeDevices(
  context: RemovalContext,
  ids: readonly string[],
  why: RemovalReason,
): Promise<RemovedDevice[]> {
  const { catalog, changeHub, noted, metrics, log, nowMs } = context;
  const removed: RemovedDevice[] = [];
  for (const part of partsOf(ids)) {
    const own = await catalog.life.remove(part, why, nowMs());
    for (const { id, hostname } of own) {
      changeHub.disconnect(id);
      metrics.deviceEvents.inc({ event: events[why] });
      log.warn({ device: id, hostname, why }, "device removed: its credential is barred");
    }
    removed.push(...own);
    if (part.length < ids.length) await Bun.sleep(0);
  }
  if (removed.length === 0) return removed;
  await renewKeysWithout(context, ids);
  // Tasks may be complete without these devices.
  for (const { id } of await catalog.tasks.open()) noted.add(id);
  return removed;
}

/** Devices that one transaction removes. */
const partRows = 250;
function* partsOf(ids: readonly string[]): Generator<readonly string[]> {
  for (let from = 0; from < ids.length; from += partRows) yield ids.slice(from, from + partRows);
}

/** Gives the others keys that the removed devices do not have, once for each package. */
async function renewKeysWithout(context: RemovalContext, removed: readonly string[]): Promise<void> {
  const { changeHub, nowMs } = context;
  const { lanKeys } = context.catalog;
  const packages = new Set<string>();
  for (const part of partsOf(removed)) for (const id of await lanKeys.packagesOf(part)) packages.add(id);
  await lanKeys.renew([...packages], nowMs());
  for (const part of partsOf(removed)) {
    await lanKeys.forget(part);
    if (part.length < removed.length) await Bun.sleep(0);
  }
  const holders: string[] = [];
  for (const part of partsOf(changeHub.connectedIds))
    holders.push(...(await lanKeys.holdersAmong(part, [...packages])));
  changeHub.notify(holders);
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
