/** Route for administrators: numbers of the whole source, which are kept at write time. */
import { Hono } from "hono";
import { overviewSchema } from "../../api/schema/admin.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented } from "../openapi.ts";

export function overviewRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog, changeHub } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/overview",
    documented({
      summary: "Numbers of devices, subnets, sites, packages and open tasks",
      audience: ["admin"],
      answer: overviewSchema,
    }),
    allow(context),
    async (c) =>
      c.json({
        ...(await catalog.deviceList.counts()),
        connected: changeHub.connectedDevices,
        wan: await catalog.wan.totals(),
      }),
  );
  return routes;
}
