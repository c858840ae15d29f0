/** Checks of a target before it is stored: unknown devices, and names that nothing has. */
import { foldedName } from "../../model/glob.ts";
import { ApiError } from "../api-error.ts";
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
  const [name] = await catalog.deviceList.unknownNames([...names]);
  if (name !== undefined)
    throw new ApiError(
      404,
      `No device is named "${name}"`,
      "device list shows all; for devices to come write name=…, for other properties tag=…, site=… or os=…",
    );
}

/** Returns the tags among these that exist nowhere: as declared groups, or on devices. */
export async function unknownTags(
  { catalog, acceptsWishes }: Pick<SourceContext, "catalog" | "acceptsWishes">,
  tags: readonly string[],
): Promise<string[]> {
  const declared = (await catalog.labels.groups()).map(({ name }) => name);
  const left = await catalog.deviceList.unknownTags(without(tags, declared));
  if (left.length === 0 || !acceptsWishes) return left;
  return without(
    left,
    (await catalog.deviceList.tags([])).map(({ name }) => name),
  );
}

/** Returns one sentence for each name in the target that nothing has. */
export async function targetWarnings(context: SourceContext, target: string): Promise<string[]> {
  const { catalog } = context;
  const { tags, sites, subnets, tasks, packages } = referencesIn(target);
  const unknownTasks: number[] = [];
  for (const id of tasks) if ((await catalog.tasks.byId(id)) === null) unknownTasks.push(id);
  return [
    ...(await unknownTags(context, [...tags])).map(
      (tag) => `no device has the tag "${tag}": group list shows all`,
    ),
    ...without(sites, textsOf(await catalog.labels.sites())).map(
      (site) => `no site is named "${site}": site list shows all`,
    ),
    ...(await catalog.deviceList.unknownSubnets([...subnets])).map(
      (subnet) => `no subnet is "${subnet}": subnet list shows all`,
    ),
    ...unknownTasks.map((id) => `no task ${id}: task list shows all`),
    ...without(packages, packages.size === 0 ? [] : textsOf(await catalog.packages.list())).map(
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
