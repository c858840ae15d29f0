/** Route for administrators: how many devices a target matches now. */
import { Hono } from "hono";
import { targetCheckSchema, targetCountSchema } from "../../api/schema/labels.ts";
import type { Scope } from "../../model/role.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { scannedDevices } from "../matching-devices.ts";
import { documented, queryParameters } from "../openapi.ts";
import { scopeOf } from "../scope.ts";
import { checkTarget, targetWarnings } from "./target-check.ts";

export function targetRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/check",
    documented({
      summary: "Devices and subnets that a target matches now, and names in it that nothing has",
      audience: ["admin"],
      answer: targetCountSchema,
    }),
    allow(context),
    queryParameters(targetCheckSchema),
    async (c) => {
      const { target } = c.req.valid("query");
      await checkTarget(context, target);
      const { devices, connected, subnets } = await countOf(context, target, scopeOf(c));
      const warnings = await targetWarnings(context, target);
      return c.json({ target, devices, connected, subnets, warnings });
    },
  );
  return routes;
}

type Count = { readonly devices: number; readonly connected: number; readonly subnets: number };

async function countOf(context: SourceContext, target: string, scope: Scope): Promise<Count> {
  const { catalog, changeHub } = context;
  if (target === "all" && scope.length === 0) {
    const { devices, subnets } = await catalog.deviceList.counts();
    return { devices, subnets, connected: changeHub.connectedDevices };
  }
  const subnets = new Set<string>();
  let [devices, connected] = [0, 0];
  for await (const found of scannedDevices(context, target, scope))
    for (const { id, subnet } of found) {
      devices++;
      if (changeHub.isConnected(id)) connected++;
      if (subnet !== null) subnets.add(subnet.id);
    }
  return { devices, connected, subnets: subnets.size };
}
