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
  taggedSchema,
  taggingSchema,
  tagsMax,
  type Group,
  type Tagged,
} from "../../api/schema/labels.ts";
import { foldedName } from "../../model/glob.ts";
import { changedTags } from "../../model/tags.ts";
import { isWithinScope } from "../../model/target/index.ts";
import type { Scope } from "../../model/role.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { DeviceRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { isInScope, scopeOf } from "../scope.ts";
import { knownNames, openTargeting, referencesIn } from "../targeting.ts";
import { checkTarget, knownTags } from "./target-check.ts";

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
    documented({ summary: "All groups and tags", audience: ["admin"], answer: groupListSchema }),
    allow(context),
    async (c) => c.json({ groups: await groupsOf(context, scopeOf(c)) }),
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
      await knownTag(context, name, await context.catalog.devices.list());
      await refuseIfNamed(context, "tags", name);
      const changed = await context.catalog.labels.removeTag(name);
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

/** Returns the spelling of a tag. @throws ApiError 404 for an unknown one */
async function knownTag(
  context: SourceContext,
  name: string,
  devices: readonly DeviceRecord[],
): Promise<string> {
  const spelling = (await knownTags({ ...context, acceptsWishes: false }, devices)).get(foldedName(name));
  if (spelling !== undefined) return spelling;
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
  const all = await catalog.devices.list();
  const targeting = await openTargeting(context, [target]);
  const devices = all.filter((one) => isInScope(scope, one) && targeting.matches(target, one));
  if (devices.length === 0) throw new ApiError(404, `No device matches "${target}"`, "device list shows all");
  for (const tag of [...remove, ...(known ? add : [])]) await knownTag(context, tag, all);
  refuseNamesOfDevices(add, all);
  const spellings = await knownTags({ ...context, acceptsWishes: false }, all);
  const added = add.map((tag) => spellings.get(foldedName(tag)) ?? tag);
  const most = Math.max(...devices.map(({ tags }) => tags.length));
  if (
    most + added.length > tagsMax &&
    devices.some((device) => changedTags(device.tags, added, remove).length > tagsMax)
  )
    throw new ApiError(422, `A device has at most ${tagsMax} tags`, "device untag removes some");
  if (scope.length > 0) {
    await refuseForeignTags(context, [...add, ...remove], scope, all);
    await refuseOthersTasks(context, devices, { add: added, remove }, scope);
  }
  const ids = devices.map(({ id }) => id);
  const changed = new Set(await catalog.labels.tag(ids, { add: added, remove }));
  log.info({ target, add: added, remove, devices: changed.size }, "tags changed");
  changeHub.notify([...changed]);
  const after = new Map((await catalog.devices.list()).map(({ id, tags }) => [id, tags]));
  return {
    devices: devices.map(({ id, hostname }) => ({
      deviceId: id,
      hostname,
      tags: [...(after.get(id) ?? [])],
      changed: changed.has(id),
    })),
  };
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
  devices: readonly DeviceRecord[],
): Promise<void> {
  const own = new Set(scope.map(foldedName));
  const foreign = new Set((await context.catalog.labels.groups()).map(({ name }) => foldedName(name)));
  for (const device of devices)
    if (!isInScope(scope, device)) for (const tag of device.tags) foreign.add(foldedName(tag));
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
  devices: readonly DeviceRecord[],
  { add, remove }: { readonly add: readonly string[]; readonly remove: readonly string[] },
  scope: Scope,
): Promise<void> {
  const { tasks, settings } = context.catalog;
  const targets = [...(await tasks.open()), ...(await settings.assignments())]
    .map(({ target }) => target)
    .filter((target) => !isWithinScope(target, scope));
  const { matches } = await openTargeting(context, targets);
  for (const device of devices) {
    // The tags of a device that waits count from its approval on, which does not look at them.
    const before: DeviceRecord = { ...device, life: { state: "active" } };
    const after = { ...before, tags: changedTags(device.tags, add, remove) };
    const target = targets.find((one) => matches(one, before) !== matches(one, after));
    if (target !== undefined)
      throw new ApiError(
        403,
        `With these tags ${device.hostname} would be another device for the target "${target}"`,
        "that task or setting is not within your scope: an administrator can change the tags",
      );
  }
}

/** A second device of `device tag` after a blank would otherwise become a tag of the first one. */
function refuseNamesOfDevices(tags: readonly string[], devices: readonly DeviceRecord[]): void {
  const names = knownNames(devices);
  for (const tag of tags)
    if (names.has(foldedName(tag)))
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
  for (const device of (await catalog.devices.list()).filter((one) => isInScope(scope, one))) {
    for (const tag of device.tags) entry(tag, "tag").devices++;
    for (const wish of openWishes(device)) entry(wish, "tag").wishes++;
  }
  return [...groups.values()].toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Returns the groups that a device states and does not have. */
export function openWishes({ tags, wishes }: Pick<DeviceRecord, "tags" | "wishes">): string[] {
  const given = new Set(tags.map(foldedName));
  return wishes.filter((wish) => !given.has(foldedName(wish)));
}
