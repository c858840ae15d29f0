/**
 * Devices that targets match, read by key: SQL selects candidates by an index where the target
 * allows it, and the evaluation of the target decides. Long reads take turns with other requests.
 */
import { foldedName } from "../model/glob.ts";
import type { Scope } from "../model/role.ts";
import type { DeviceFilter, DeviceKey, DeviceOrder, DeviceRecord, ScannedDevice } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { openTargeting, targetIn, type Targeting } from "./targeting.ts";

type ReadContext = Pick<SourceContext, "catalog" | "acceptsWishes">;

const batchRows = 1_000;

/** Returns the part of a filter that SQL knows of a scope and a target. */
export const filterOf = (
  { acceptsWishes }: Pick<SourceContext, "acceptsWishes">,
  scope: Scope,
  target: string,
): Pick<DeviceFilter, "scope" | "targets" | "acceptsWishes"> => ({
  scope,
  targets: [targetIn(target)].filter((one) => one !== null),
  acceptsWishes,
});

/** Returns the key of a device in an order of the list. */
export function keyOfDevice(order: DeviceOrder, device: DeviceRecord): DeviceKey {
  return [order === "subnetId" ? (device.subnet?.id ?? "") : device[order], device.id];
}

/** Reads the devices of a scope that the target matches, in the order of their enrolment. */
export async function* matchingDevices(
  context: ReadContext,
  target: string,
  scope: Scope = [],
  opened: Targeting | null = null,
): AsyncGenerator<DeviceRecord> {
  const targeting = opened ?? (await openTargeting(context, [target]));
  const filter = filterOf(context, scope, target);
  const order = "enrolledAtMs";
  for (let after: DeviceKey | null = null; ;) {
    const rows: DeviceRecord[] = await context.catalog.deviceList.page({
      ...filter,
      order,
      isDescending: false,
      after,
      limit: batchRows,
    });
    for (const device of rows) if (targeting.matches(target, device)) yield device;
    if (rows.length < batchRows) return;
    after = keyOfDevice(order, rows.at(-1)!);
    await Bun.sleep(0);
  }
}

/** Devices that one step of a scan reads; other requests take turns between steps. */
const scanRows = 5_000;

/** Returns what targets see of the devices of a scope that the target matches, by id. */
export async function* scannedDevices(
  context: ReadContext,
  target: string,
  scope: Scope = [],
): AsyncGenerator<readonly ScannedDevice[]> {
  const targeting = await openTargeting(context, [target]);
  const filter = filterOf(context, scope, target);
  for (let after: string | null = null; ;) {
    const rows: ScannedDevice[] = await context.catalog.deviceList.scan(filter, after, scanRows);
    yield rows.filter((device) => targeting.matches(target, device));
    if (rows.length < scanRows) return;
    after = rows.at(-1)!.id;
    await Bun.sleep(0);
  }
}

/** Returns the spellings of tags by their folded names: of declared groups, and of devices. */
export async function tagSpellings({
  catalog,
}: Pick<SourceContext, "catalog">): Promise<Map<string, string>> {
  const given = (await catalog.deviceList.tags([])).filter(({ devices }) => devices > 0);
  const named = [...given, ...(await catalog.labels.groups())];
  return new Map(named.map(({ name }) => [foldedName(name), name] as const));
}
