/**
 * Routes for administrators: tags and groups of devices. A group is a tag that was declared, so it
 * may have no device. What a device states itself is a wish, and no tag.
 */
import { Hono } from "hono";
import type * as v from "valibot";
import { doneSchema } from "../../api/schema/admin.ts";
import {
  groupListSchema,
  labelPathSchema,
  taggedDevicesMax,
  taggedSchema,
  taggingSchema,
  tagsMax,
  type Group,
  type Tagged,
} from "../../api/schema/labels.ts";
import { pageQuerySchema } from "../../api/schema/page.ts";
import { foldedName } from "../../model/glob.ts";
import { changedTags } from "../../model/tags.ts";
import { isWithinScope } from "../../model/target/index.ts";
import type { Scope } from "../../model/role.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { DeviceRecord, ScannedDevice } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { isInScope } from "../device-scope.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { scannedDevices, scanOf, tagSpellings } from "../matching-devices.ts";
import { pageOf } from "../page.ts";
import { scopeOf } from "../scope.ts";
import { referencesIn } from "../targeting.ts";
import { checkTarget, unknownTags } from "./target-check.ts";

const bodyBytesMax = 65_536;

export function tagRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.post(
    "/tags",
    documented({ summary: "Add and remove tags of devices", audience: ["admin"], answer: taggedSchema }),
    allow(context),
    limitBody(bodyBytesMax),
    jsonBody(taggingSchema),
    async (c) => c.json(await changeTags(context, c.req.valid("json"), scopeOf(c))),
  );
  routes.get(
    "/groups",
    documented({
      summary: "Groups and tags with the number of their devices, a page at a time",
      audience: ["admin"],
      answer: groupListSchema,
    }),
    allow(context),
    queryParameters(pageQuerySchema),
    async (c) => {
      const groups = await groupsOf(context, scopeOf(c));
      const { rows, next } = pageOf(c.req.valid("query"), groups, ({ name }) => name);
      return c.json({ groups: rows, next });
    },
  );
  routes.put(
    "/groups/:name",
    documented({ summary: "Declare a group", audience: ["admin"], answer: doneSchema }),
    allow(context),
    pathParameters(labelPathSchema),
    async (c) => {
      const { name } = c.req.valid("param");
      if (!(await context.catalog.labels.createGroup(name, context.nowMs())))
        throw new ApiError(409, `The group "${name}" exists`, "group list shows all");
      context.log.info({ group: name }, "group created");
      return c.json({ ok: true } as const);
    },
  );
  routes.delete(
    "/groups/:name",
    documented({
      summary: "Remove a group or tag from all devices, unless an open task or an assigned setting names it",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    pathParameters(labelPathSchema),
    async (c) => {
      const { name } = c.req.valid("param");
      await checkTag(context, name);
      await refuseIfNamed(context, "tags", name);
      const changed = await removeTag(context, name);
      context.log.info({ group: name, devices: changed.length }, "group removed");
      context.changeHub.notify(changed);
      return c.json({ ok: true } as const);
    },
  );
  return routes;
}

/**
 * Refuses to take away a name that targets of open tasks or of assigned settings mention.
 * @throws ApiError 409 that names the tasks, or the assignments
 */
export async function refuseIfNamed(
  { catalog }: SourceContext,
  kind: "tags" | "sites",
  name: string,
): Promise<void> {
  const isNaming = ({ target }: { readonly target: string }): boolean =>
    [...referencesIn(target)[kind]].some((one) => foldedName(one) === foldedName(name));
  const tasks = (await catalog.tasks.open()).filter(isNaming);
  if (tasks.length > 0) {
    const what = `The target of task ${tasks.map(({ id }) => id).join(", ")} names "${name}"`;
    throw new ApiError(409, what, "change it with task edit, or cancel it");
  }
  const assigned = (await catalog.settings.assignments()).filter(isNaming);
  if (assigned.length === 0) return;
  const what = assigned.map(({ setting, target }) => `${setting} to "${target}"`).join(", ");
  throw new ApiError(409, `An assignment of settings names "${name}": ${what}`, "setting unassign ends it");
}

/** @throws ApiError 404 for a tag that nothing has */
async function checkTag(context: SourceContext, name: string): Promise<void> {
  const unknown = await unknownTags({ ...context, acceptsWishes: false }, [name]);
  if (unknown.length === 0) return;
  throw new ApiError(
    404,
    `No group or tag is named "${name}"`,
    "group list shows all, group create makes one",
  );
}

async function changeTags(
  context: SourceContext,
  { devices: target, add, remove, known }: v.InferOutput<typeof taggingSchema>,
  scope: Scope,
): Promise<Tagged> {
  const { catalog, changeHub, log } = context;
  await checkTarget(context, target);
  const spellings = await tagSpellings(context);
  const change = { add: add.map((tag) => spellings.get(foldedName(tag)) ?? tag), remove };
  const matched: ScannedDevice[] = [];
  let isOverFull = false;
  for await (const devices of scannedDevices(context, target, scope))
    for (const device of devices) {
      const { tags } = device;
      matched.push(device);
      isOverFull ||=
        tags.length + change.add.length > tagsMax && changedTags(tags, change.add, remove).length > tagsMax;
    }
  if (matched.length === 0) throw new ApiError(404, `No device matches "${target}"`, "device list shows all");
  for (const tag of [...remove, ...(known ? add : [])]) await checkTag(context, tag);
  await refuseNamesOfDevices(context, add);
  if (isOverFull)
    throw new ApiError(422, `A device has at most ${tagsMax} tags`, "device untag removes some");
  if (scope.length > 0) {
    await refuseForeignTags(context, [...add, ...remove], scope);
    await refuseOthersTasks(context, target, change, scope);
  }
  const ids = matched.toSorted((a, b) => a.enrolledAtMs - b.enrolledAtMs).map(({ id }) => id);
  const changed = await tagInParts(context, ids, change);
  log.info({ target, add: change.add, remove, devices: changed.size }, "tags changed");
  changeHub.notify([...changed]);
  const listed: Tagged["devices"] = [];
  for (const id of ids.slice(0, taggedDevicesMax)) {
    const device = await catalog.devices.byId(id);
    if (device === null) continue;
    const { hostname, tags } = device;
    listed.push({ deviceId: id, hostname, tags: [...tags], changed: changed.has(id) });
  }
  const devicesLeft = ids.length - listed.length;
  return { matched: ids.length, changed: changed.size, devices: listed, devicesLeft };
}

/** Removes a tag from all devices in parts, then the group. @returns the devices that had it */
async function removeTag(context: SourceContext, name: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const devices of scannedDevices(context, "all"))
    for (const device of devices) if (isInScope([name], device)) ids.push(device.id);
  const changed = await tagInParts(context, ids, { add: [], remove: [name] });
  return [...changed, ...(await context.catalog.labels.removeTag(name))];
}

/** Devices that one transaction changes. */
const taggedRows = 250;

/**
 * Changes the tags of many devices, in turns with requests: each part is a transaction and a row of
 * the audit. @returns the devices whose tags are others now
 */
async function tagInParts(
  { catalog }: SourceContext,
  ids: readonly string[],
  change: TagChange,
): Promise<Set<string>> {
  const changed = new Set<string>();
  for (let from = 0; from < ids.length; from += taggedRows) {
    if (from > 0) await Bun.sleep(0);
    for (const id of await catalog.labels.tag(ids.slice(from, from + taggedRows), change)) changed.add(id);
  }
  return changed;
}

/**
 * Refuses tags by which a person with a scope would reach beyond it: a device with the tag of
 * others gets their tasks, with commands and keys.
 * @throws ApiError 403 that names the tag
 */
async function refuseForeignTags(
  context: SourceContext,
  tags: readonly string[],
  scope: Scope,
): Promise<void> {
  const own = new Set(scope.map(foldedName));
  const foreign = new Set((await context.catalog.labels.groups()).map(({ name }) => foldedName(name)));
  const { deviceList } = context.catalog;
  const within = new Map((await deviceList.tags(scope)).map((one) => [foldedName(one.name), one.devices]));
  for (const { name, devices } of await deviceList.tags([]))
    if (devices > (within.get(foldedName(name)) ?? 0)) foreign.add(foldedName(name));
  for (const tag of tags) {
    const folded = foldedName(tag);
    if (own.has(folded)) continue;
    if (foreign.has(folded))
      throw new ApiError(
        403,
        `The tag "${tag}" is not yours alone: your scope is ${scope.join(", ")}`,
        "choose a tag that no group has, and no device outside of your scope",
      );
  }
}

/** @throws ApiError 403 when a target of others would match other devices after the change */
async function refuseOthersTasks(
  context: SourceContext,
  target: string,
  { add, remove }: TagChange,
  scope: Scope,
): Promise<void> {
  const { tasks, settings } = context.catalog;
  const targets = [...(await tasks.open()), ...(await settings.assignments())]
    .map((one) => one.target)
    .filter((one) => !isWithinScope(one, scope));
  for await (const { devices, targeting } of scanOf(context, [target, ...targets], scope))
    for (const device of devices) {
      if (!targeting.matches(target, device)) continue;
      // The tags of a device that waits count from its approval on, which does not look at them.
      const before = withTags(device, device.tags);
      const after = withTags(device, changedTags(device.tags, add, remove));
      const found = targets.find((one) => targeting.matches(one, before) !== targeting.matches(one, after));
      if (found !== undefined)
        throw new ApiError(
          403,
          `With these tags ${device.hostname} would be another device for the target "${found}"`,
          "that task or setting is not within your scope: an administrator can change the tags",
        );
    }
}

type TagChange = { readonly add: readonly string[]; readonly remove: readonly string[] };

/** Returns the device as it would be with these tags, and approved. */
function withTags(device: ScannedDevice, tags: readonly string[]): ScannedDevice {
  const { id, hostname, name, os, arch, agentVersion, enrolledAtMs, subnet, subnetName, site } = device;
  const known = { id, hostname, name, os, arch, agentVersion, enrolledAtMs, subnet, subnetName, site };
  const { facts, wishes, isImaging } = device;
  return { ...known, facts, wishes, isImaging, tags, isSuspended: false, isWaiting: false };
}

/** A second device of `device tag` after a blank would otherwise become a tag of the first one. */
async function refuseNamesOfDevices({ catalog }: SourceContext, tags: readonly string[]): Promise<void> {
  const unknown = new Set(await catalog.deviceList.unknownNames(tags));
  for (const tag of tags)
    if (!unknown.has(tag))
      throw new ApiError(
        409,
        `"${tag}" is a device, and cannot be a tag`,
        "separate several devices with commas: device tag pc-1,pc-2 TAG",
      );
}

async function groupsOf({ catalog }: SourceContext, scope: Scope): Promise<Group[]> {
  const groups = new Map<string, Group>();
  const entry = (name: string, kind: Group["kind"]): Group => {
    const found = groups.get(foldedName(name)) ?? { name, kind, devices: 0, wishes: 0 };
    groups.set(foldedName(name), found);
    return found;
  };
  for (const { name } of await catalog.labels.groups()) entry(name, "group");
  for (const { name, devices, wishes } of await catalog.deviceList.tags(scope)) {
    const one = entry(name, "tag");
    one.devices += devices;
    one.wishes += wishes;
  }
  return [...groups.values()].toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Returns the groups that a device states and does not have. */
export function openWishes({ tags, wishes }: Pick<DeviceRecord, "tags" | "wishes">): string[] {
  const given = new Set(tags.map(foldedName));
  return wishes.filter((wish) => !given.has(foldedName(wish)));
}
