/**
 * Routes of agent settings. A change wakes the devices that it reaches: those whose own setting, or
 * the setting of an open task for them, has other values afterwards.
 */
import { Hono } from "hono";
import * as v from "valibot";
import {
  settingChangedSchema,
  settingCreateSchema,
  settingEditSchema,
  settingListSchema,
  settingNameSchema,
  settingRemovedSchema,
  settingRenameSchema,
  settingRevertSchema,
  settingsMax,
  settingVersionListSchema,
  settingViewSchema,
  type SettingChanged,
  type SettingVersion,
  type SettingView,
} from "../../api/schema/settings.ts";
import {
  changesBetween,
  differingFields,
  parentProblem,
  resolveSetting,
  rootSetting,
  settingsWithOtherValues,
  type SettingTree,
} from "../../model/setting-inheritance.ts";
import type { SettingDifferences } from "../../model/setting.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SettingContent, SettingUses, SettingVersionRecord, TaskRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { settingCounts } from "../setting-counts.ts";
import { reachOf } from "../setting-reach.ts";
import { settingNamed } from "./named-setting.ts";

const settingPathSchema = v.object({ name: settingNameSchema });
const bodyBytesMax = 65_536;

export function settingRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addViews(routes, context);
  addCreation(routes, context);
  addEdit(routes, context);
  addVersions(routes, context);
  addRenaming(routes, context);
  addRemoval(routes, context);
  return routes;
}

/** Devices by their own setting, and open tasks that name one. */
type Users = {
  readonly devices: ReadonlyMap<string, number>;
  readonly tasks: readonly TaskRecord[];
};

async function usersOf(context: SourceContext): Promise<Users> {
  const { settings, tasks } = context.catalog;
  const assignments = await settings.assignments();
  const { own, others } = await settingCounts(context, assignments);
  const devices = new Map<string, number>([[rootSetting, others]]);
  for (const [index, { setting }] of assignments.entries())
    devices.set(setting, (devices.get(setting) ?? 0) + own[index]!);
  return { devices, tasks: await tasks.open() };
}

function viewOf(tree: SettingTree, name: string, users: Users): SettingView {
  const { parent, differences } = tree.get(name)!;
  return {
    ...resolveSetting(tree, name),
    parent,
    differences,
    parents: [...resolveSetting(tree, name).parents],
    origins: { ...resolveSetting(tree, name).origins },
    devices: users.devices.get(name) ?? 0,
    openTasks: users.tasks.filter(({ setting }) => setting === name).length,
  };
}

function addViews(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog } = context;
  routes.get(
    "/",
    documented({ summary: "All settings", audience: ["admin"], answer: settingListSchema }),
    allow(context),
    async (c) => {
      const tree = await catalog.settings.tree();
      const users = await usersOf(context);
      return c.json({ settings: [...tree.keys()].map((name) => viewOf(tree, name, users)) });
    },
  );
  routes.get(
    "/:name",
    documented({
      summary: "A setting, with the origin of each value",
      audience: ["admin"],
      answer: settingViewSchema,
    }),
    allow(context),
    pathParameters(settingPathSchema),
    async (c) => {
      const tree = await catalog.settings.tree();
      const { name } = settingNamed(tree, c.req.valid("param").name);
      return c.json(viewOf(tree, name, await usersOf(context)));
    },
  );
}

function checkParent(tree: SettingTree, name: string, parent: string | null): void {
  const problem = parent === null ? null : parentProblem(tree, name, parent);
  if (problem === null) return;
  throw new ApiError(409, `"${parent}" cannot be the parent of "${name}"`, problem);
}

/** Stores the content of a setting, wakes the devices that it reaches, and returns what changed. */
async function store(
  context: SourceContext,
  name: string,
  decide: (tree: SettingTree) => SettingContent,
): Promise<SettingChanged> {
  const { catalog, changeHub, log, nowMs } = context;
  const { before, after } = await catalog.settings.change(name, nowMs(), (tree) => {
    const content = decide(tree);
    const old = tree.get(name);
    if (old === undefined || content.parent !== old.parent) checkParent(tree, name, content.parent);
    const isSame =
      old?.parent === content.parent && differingFields(old.differences, content.differences).length === 0;
    return isSame ? null : content;
  });
  const { parent, version } = after.get(name)!;
  const isSigned = await context.orders.sign({ kind: "setting", subject: name });
  if (before === after || !before.has(name)) {
    if (before !== after) log.info({ setting: name, parent }, "setting created");
    return { name, version, parent, changes: [], devices: 0, openTasks: 0, isSigned };
  }
  const changes = changesBetween(resolveSetting(before, name), resolveSetting(after, name));
  const names = [name, ...settingsWithOtherValues(before, after)];
  const { devices, connected, openTasks } = await reachOf(context, names);
  changeHub.notify(connected);
  log.info({ setting: name, version, changes, devices }, "setting changed");
  return { name, version, parent, changes, devices, openTasks, isSigned };
}

function addCreation(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.post(
    "/",
    documented({ summary: "Make a setting", audience: ["admin"], answer: settingChangedSchema }),
    allow(context),
    limitBody(bodyBytesMax),
    jsonBody(settingCreateSchema),
    async (c) => {
      const { name, parent, differences } = c.req.valid("json");
      return c.json(
        await store(context, name, (tree) => {
          if (tree.has(name)) throw taken(name);
          if (tree.size >= settingsMax)
            throw new ApiError(409, `There are ${settingsMax} settings`, "remove one that is not used");
          settingNamed(tree, parent);
          return { parent, differences };
        }),
      );
    },
  );
}

const taken = (name: string): ApiError =>
  new ApiError(409, `There is a setting named "${name}"`, "setting set changes it");

function addEdit(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.patch(
    "/:name",
    documented({ summary: "Change a setting", audience: ["admin"], answer: settingChangedSchema }),
    allow(context),
    limitBody(bodyBytesMax),
    pathParameters(settingPathSchema),
    jsonBody(settingEditSchema),
    async (c) => {
      const { set, inherit, parent } = c.req.valid("json");
      if (parent === undefined && Object.keys(set).length + inherit.length === 0)
        throw new ApiError(400, "Nothing to change", "give set, inherit or parent");
      const { name } = c.req.valid("param");
      return c.json(
        await store(context, name, (tree) => {
          const old = settingNamed(tree, name);
          if (parent !== undefined) settingNamed(tree, parent);
          const kept = { ...old.differences, ...set };
          for (const field of inherit) delete kept[field];
          return { parent: parent ?? old.parent, differences: kept };
        }),
      );
    },
  );
}

type OwnChange = SettingVersion["changes"][number];

/** Returns the differences that a version changed. A side that is missing was inherited. */
const ownChanges = (before: SettingDifferences, after: SettingDifferences): OwnChange[] =>
  differingFields(before, after).map((field) => {
    const change: OwnChange = { field };
    if (Object.hasOwn(before, field)) change.before = before[field];
    if (Object.hasOwn(after, field)) change.after = after[field];
    return change;
  });

function addVersions(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { settings } = context.catalog;
  routes.get(
    "/:name/versions",
    documented({
      summary: "Versions of a setting, the newest first",
      audience: ["admin"],
      answer: settingVersionListSchema,
    }),
    allow(context),
    pathParameters(settingPathSchema),
    async (c) => {
      const { name } = settingNamed(await settings.tree(), c.req.valid("param").name);
      const versions = await settings.versions(name);
      const withChanges = (one: SettingVersionRecord, index: number): SettingVersion => ({
        ...one,
        changes: ownChanges(versions[index + 1]?.differences ?? {}, one.differences),
      });
      return c.json({ versions: versions.map(withChanges) });
    },
  );
  routes.post(
    "/:name/revert",
    documented({
      summary: "Store the content of an earlier version again, as the next version",
      audience: ["admin"],
      answer: settingChangedSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    pathParameters(settingPathSchema),
    jsonBody(settingRevertSchema),
    async (c) => {
      const { name } = settingNamed(await settings.tree(), c.req.valid("param").name);
      const { version } = c.req.valid("json");
      const old = (await settings.versions(name)).find((one) => one.version === version);
      if (old === undefined)
        throw new ApiError(
          404,
          `Setting "${name}" has no version ${version}`,
          `setting history ${name} shows all`,
        );
      return c.json(
        await store(context, name, (tree) => {
          settingNamed(tree, name);
          return old;
        }),
      );
    },
  );
}

function addRenaming(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, changeHub, log } = context;
  routes.post(
    "/:name/rename",
    documented({
      summary: "Rename a setting, also in its children, assignments and tasks",
      audience: ["admin"],
      answer: settingChangedSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    pathParameters(settingPathSchema),
    jsonBody(settingRenameSchema),
    async (c) => {
      const tree = await catalog.settings.tree();
      const { name: from, version, parent } = settingNamed(tree, c.req.valid("param").name);
      const { name } = c.req.valid("json");
      checkNotRoot(from);
      if (tree.has(name)) throw taken(name);
      await catalog.settings.rename(from, name);
      await catalog.trust.removeOrder("setting", from);
      // The orders of children, assignments and tasks name the setting.
      await context.orders.signAll();
      const isSigned = (await context.orders.needed({ kind: "setting", subject: name })) === null;
      const { devices, connected, openTasks } = await reachOf(context, [name]);
      changeHub.notify(connected);
      log.info({ from, to: name }, "setting renamed");
      return c.json({ name, version, parent, changes: [], devices, openTasks, isSigned });
    },
  );
}

function checkNotRoot(name: string): void {
  if (name !== rootSetting) return;
  throw new ApiError(409, `"${rootSetting}" keeps its name and stays`, "all other settings descend from it");
}

/** Returns what uses a setting, in words; empty if nothing does. */
const usesText = ({ tasks, children, targets }: SettingUses): string =>
  [
    tasks.length > 0 ? `open tasks: ${tasks.join(", ")}` : "",
    children.length > 0 ? `settings that descend from it: ${children.join(", ")}` : "",
    targets.length > 0 ? `assignments: ${targets.join(", ")}` : "",
  ]
    .filter((part) => part !== "")
    .join("; ");

function addRemoval(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log } = context;
  routes.delete(
    "/:name",
    documented({
      summary: "Remove a setting that no open task, assignment or other setting names",
      audience: ["admin"],
      answer: settingRemovedSchema,
    }),
    allow(context),
    pathParameters(settingPathSchema),
    async (c) => {
      const { name } = settingNamed(await catalog.settings.tree(), c.req.valid("param").name);
      checkNotRoot(name);
      const used = usesText(await catalog.settings.remove(name));
      if (used === "") await catalog.trust.removeOrder("setting", name);
      if (used !== "") {
        const hint = "task edit --setting, setting unassign and setting set --parent change that";
        throw new ApiError(409, `Setting "${name}" is used by ${used}`, hint);
      }
      log.info({ setting: name }, "setting removed");
      return c.json({ name });
    },
  );
}
