/**
 * Routes of the assignments of settings to devices. Each change wakes the devices whose own setting
 * is another one afterwards.
 */
import { Hono } from "hono";
import {
  settingAssignedSchema,
  settingAssignmentListSchema,
  settingAssignSchema,
  settingsMax,
  settingUnassignSchema,
  type SettingAssigned,
  type SettingAssignmentList,
} from "../../api/schema/settings.ts";
import { withAssignment, type SettingAssignment } from "../../model/setting-inheritance.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { reachOfChange } from "../setting-reach.ts";
import { settingNamed } from "./named-setting.ts";
import { settingCounts, type SettingCount } from "../setting-counts.ts";
import { checkTarget, targetWarnings } from "./target-check.ts";

const bodyBytesMax = 65_536;

export function settingAssignmentRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/",
    documented({
      summary: "Assignments of settings to devices, in the order of precedence",
      audience: ["admin"],
      answer: settingAssignmentListSchema,
    }),
    allow(context),
    async (c) => {
      const assignments = await catalog.settings.assignments();
      return c.json(viewOf(assignments, await settingCounts(context, assignments)));
    },
  );
  addAssigning(routes, context);
  addUnassigning(routes, context);
  return routes;
}

function viewOf(
  assignments: readonly SettingAssignment[],
  { matched, own, others, countedAtMs }: SettingCount,
): SettingAssignmentList {
  return {
    assignments: assignments.map(({ setting, target }, index) => ({
      rank: index + 1,
      setting,
      target,
      matched: matched[index]!,
      devices: own[index]!,
    })),
    others,
    countedAtMs,
  };
}

/** Stores the assignments, and wakes the devices that have another setting of their own. */
async function store(
  context: SourceContext,
  decide: (before: readonly SettingAssignment[]) => SettingAssignment[],
  warnings: string[] = [],
): Promise<SettingAssigned> {
  const { catalog, changeHub, log } = context;
  const { before, after } = await catalog.settings.changeAssignments(decide);
  const isSigned = await context.orders.sign({ kind: "assignments", subject: "" });
  const { devices: changed, connected } = await reachOfChange(context, before, after);
  changeHub.notify(connected);
  log.info({ assignments: after, devices: changed }, "settings assigned");
  const count = await settingCounts(context, after);
  return { ...viewOf(after, count), changed, isSigned, warnings };
}

function addAssigning(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.put(
    "/",
    documented({
      summary: "Assign a setting to devices, or change setting or rank of an assigned target",
      audience: ["admin"],
      answer: settingAssignedSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    jsonBody(settingAssignSchema),
    async (c) => {
      const { rank, ...given } = c.req.valid("json");
      settingNamed(await context.catalog.settings.tree(), given.setting);
      await checkTarget(context, given.target);
      const decide = (before: readonly SettingAssignment[]): SettingAssignment[] => {
        const after = withAssignment(before, given, rank);
        if (after.length <= settingsMax) return after;
        throw new ApiError(409, `There are ${settingsMax} assignments`, "setting unassign removes one");
      };
      return c.json(await store(context, decide, await targetWarnings(context, given.target)));
    },
  );
}

function addUnassigning(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.delete(
    "/",
    documented({
      summary: "End the assignment of a setting to a target",
      audience: ["admin"],
      answer: settingAssignedSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    jsonBody(settingUnassignSchema),
    async (c) => {
      const given = c.req.valid("json");
      settingNamed(await context.catalog.settings.tree(), given.setting);
      const isGiven = ({ setting, target }: SettingAssignment): boolean =>
        setting === given.setting && target === given.target;
      return c.json(
        await store(context, (before) => {
          if (before.some(isGiven)) return before.filter((one) => !isGiven(one));
          const what = `Setting "${given.setting}" is not assigned to ${given.target}`;
          throw new ApiError(404, what, "setting assignments shows all");
        }),
      );
    },
  );
}
