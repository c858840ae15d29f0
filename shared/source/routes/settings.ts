/**
 * Routes of agent settings. A change applies to tasks in progress too: their devices are notified.
 */
import { Hono } from "hono";
import * as v from "valibot";
import { settingListSchema, settingNameSchema, settingPutSchema } from "../../api/schema/admin.ts";
import { settingSchema } from "../../api/schema/common.ts";
import { targetedDevices } from "./agent-tasks.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";

const settingPathSchema = v.object({ name: settingNameSchema });

export function settingRoutes(context: SourceContext): Hono<SourceEnv> {
  const { settings } = context.catalog;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/",
    documented({ summary: "All settings", audience: ["admin"], answer: settingListSchema }),
    allow(context, "admin"),
    async (c) => c.json({ settings: await settings.list() }),
  );
  routes.get(
    "/:name",
    documented({ summary: "A setting", audience: ["admin"], answer: settingSchema }),
    allow(context, "admin"),
    pathParameters(settingPathSchema),
    async (c) => {
      const { name } = c.req.valid("param");
      const found = await settings.byName(name);
      if (found === null) throw new ApiError(404, `No setting named "${name}"`, "setting list shows all");
      return c.json(found);
    },
  );
  routes.put(
    "/:name",
    documented({ summary: "Make or replace a setting", audience: ["admin"], answer: settingSchema }),
    allow(context, "admin"),
    limitBody(65_536),
    pathParameters(settingPathSchema),
    jsonBody(settingPutSchema),
    async (c) => {
      const { name } = c.req.valid("param");
      const saved = await settings.put(name, c.req.valid("json").values);
      await notifyAffected(context, name);
      context.log.info({ setting: name, version: saved.version }, "setting changed");
      return c.json(saved);
    },
  );
  return routes;
}

async function notifyAffected(context: SourceContext, name: string): Promise<void> {
  const { catalog, changeHub } = context;
  if (name === "default") return changeHub.notifyAll();
  const tasks = (await catalog.tasks.open()).filter((task) => task.settingName === name);
  const affected = new Set<string>();
  for (const task of tasks) for (const { id } of await targetedDevices(context, task)) affected.add(id);
  changeHub.notify([...affected]);
}
