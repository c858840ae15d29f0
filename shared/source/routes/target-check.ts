/** Checks of a target before it is stored: unknown devices, and names that nothing has. */
import { foldedName } from "../../model/glob.ts";
import { ApiError } from "../api-error.ts";
import type { DeviceRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";
import { knownNames, referencesIn } from "../targeting.ts";

/**
 * Refuses a target that names a device that does not exist: it would never match.
 *
 * @param target text that `targetSchema` has accepted
 * @throws ApiError 404 that names the device
 */
export async function checkTarget({ catalog }: SourceContext, target: string): Promise<void> {
  const { devices, names } = referencesIn(target);
  for (const id of devices)
    if ((await catalog.devices.byId(id)) === null)
      throw new ApiError(404, `No device ${id}`, "device list shows all");
  if (names.size === 0) return;
  const known = knownNames(await catalog.devices.list());
  for (const name of names)
    if (!known.has(foldedName(name)))
      throw new ApiError(
        404,
        `No device is named "${name}"`,
        "device list shows all; for devices to come write name=…, for other properties tag=…, site=… or os=…",
      );
}

/** Returns the tags that exist: declared groups, and what devices have. By folded name. */
export async function knownTags(
  { catalog, acceptsWishes }: Pick<SourceContext, "catalog" | "acceptsWishes">,
  devices: readonly DeviceRecord[],
): Promise<Map<string, string>> {
  const given = devices.flatMap(({ tags, wishes }) => (acceptsWishes ? [...tags, ...wishes] : tags));
  const declared = (await catalog.labels.groups()).map(({ name }) => name);
  return new Map([...given, ...declared].map((name) => [foldedName(name), name] as const));
}

/** Returns one sentence for each name in the target that nothing has. */
export async function targetWarnings(context: SourceContext, target: string): Promise<string[]> {
  const { catalog } = context;
  const { tags, sites, subnets, tasks, packages } = referencesIn(target);
  const devices = tags.size + subnets.size > 0 ? await catalog.devices.list() : [];
  const knownSubnets = devices.flatMap(({ subnet, subnetName }) => [subnet?.id ?? "", subnetName ?? ""]);
  const unknownTasks: number[] = [];
  for (const id of tasks) if ((await catalog.tasks.byId(id)) === null) unknownTasks.push(id);
  return [
    ...without(tags, (await knownTags(context, devices)).values()).map(
      (tag) => `no device has the tag "${tag}": group list shows all`,
    ),
    ...without(sites, textsOf(await catalog.labels.sites())).map(
      (site) => `no site is named "${site}": site list shows all`,
    ),
    ...without(subnets, knownSubnets).map((subnet) => `no subnet is "${subnet}": subnet list shows all`),
    ...unknownTasks.map((id) => `no task ${id}: task list shows all`),
    ...without(packages, textsOf(await catalog.packages.list())).map(
      (name) => `no package is named "${name}": package list shows all`,
    ),
  ];
}

const textsOf = (named: readonly { readonly name: string }[]): string[] => named.map(({ name }) => name);

/** Returns the names that are not known, compared without case. */
function without(names: Iterable<string>, known: Iterable<string>): string[] {
  const folded = new Set([...known].map(foldedName));
  return [...names].filter((name) => !folded.has(foldedName(name)));
}
