/** Checks of a target before it is stored: unknown devices, and names that nothing has. */
import { foldedName } from "../../model/glob.ts";
import { ApiError } from "../api-error.ts";
import type { DeviceRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";
import { referencesIn } from "../targeting.ts";

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
  const known = new Set((await catalog.devices.list()).flatMap((one) => [one.id, foldedName(one.hostname)]));
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
  const { tags, sites, tasks, packages } = referencesIn(target);
  const warnings: string[] = [];
  if (tags.size > 0) {
    const known = await knownTags(context, await catalog.devices.list());
    for (const tag of tags)
      if (!known.has(foldedName(tag))) warnings.push(`no device has the tag "${tag}": group list shows all`);
  }
  if (sites.size > 0) {
    const known = new Set((await catalog.labels.sites()).map(({ name }) => foldedName(name)));
    for (const site of sites)
      if (!known.has(foldedName(site))) warnings.push(`no site is named "${site}": site list shows all`);
  }
  for (const task of tasks)
    if ((await catalog.tasks.byId(task)) === null) warnings.push(`no task ${task}: task list shows all`);
  if (packages.size > 0) {
    const known = new Set((await catalog.packages.list()).map(({ name }) => foldedName(name)));
    for (const name of packages)
      if (!known.has(name)) warnings.push(`no package is named "${name}": package list shows all`);
  }
  return warnings;
}
