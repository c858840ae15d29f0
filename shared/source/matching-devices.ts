/**
 * Devices that targets match. Scans compare all devices, which the catalog has in memory, and take
 * turns with other requests. Lists read pages of rows, which SQL narrows by an index where it can.
 */
import { foldedName } from "../model/glob.ts";
import type { Scope } from "../model/role.ts";
import type { DeviceFilter, DeviceKey, DeviceOrder, DeviceRecord, ScannedDevice } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { isInScope } from "./device-scope.ts";
import { openTargeting, targetIn, type Targeting } from "./targeting.ts";
import { Turn } from "./turn.ts";

type ReadContext = Pick<SourceContext, "catalog" | "acceptsWishes">;

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

/** Devices that one step of a scan compares. */
const scanRows = 1_000;

export type ScanStep = {
  /** Devices of the scope, by id. */
  readonly devices: readonly ScannedDevice[];
  /** Opened for these devices. */
  readonly targeting: Targeting;
  /** Ids of the first and the last device of the step, also outside of the scope. */
  readonly range: { readonly first: string; readonly last: string };
};

/** Goes over all devices of a scope, with the targets that the caller compares them with. */
export async function* scanOf(
  context: ReadContext,
  targets: readonly string[],
  scope: Scope = [],
): AsyncGenerator<ScanStep> {
  const isVisible = inScope(scope);
  const turn = new Turn();
  for (let after: string | null = null; ;) {
    const devices: readonly ScannedDevice[] = await context.catalog.deviceList.scan(after, scanRows);
    if (devices.length === 0) return;
    const range = { first: devices[0]!.id, last: devices.at(-1)!.id };
    const targeting = await openTargeting(context, targets, range);
    yield { devices: scope.length === 0 ? devices : devices.filter(isVisible), targeting, range };
    if (devices.length < scanRows) return;
    after = range.last;
    await turn.pass();
  }
}

/** Returns the devices of a scope that the target matches, by id, a part at a time. */
export async function* scannedDevices(
  context: ReadContext,
  target: string,
  scope: Scope = [],
): AsyncGenerator<readonly ScannedDevice[]> {
  for await (const { devices, targeting } of scanOf(context, [target], scope))
    yield target === "all" ? devices : devices.filter((device) => targeting.matches(target, device));
}

/** Returns the test of a scope. Equal lists of tags are one list in memory. */
function inScope(scope: Scope): (device: ScannedDevice) => boolean {
  const known = new WeakMap<readonly string[], boolean>();
  return (device) => {
    const found = known.get(device.tags) ?? isInScope(scope, device);
    known.set(device.tags, found);
    return found;
  };
}

/** Returns the spellings of tags by their folded names: of declared groups, and of devices. */
export async function tagSpellings({
  catalog,
}: Pick<SourceContext, "catalog">): Promise<Map<string, string>> {
  const given = (await catalog.deviceList.tags([])).filter(({ devices }) => devices > 0);
  const named = [...given, ...(await catalog.labels.groups())];
  return new Map(named.map(({ name }) => [foldedName(name), name] as const));
}
