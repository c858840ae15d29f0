/** Routes for administrators: the subnets of the devices. */
import { Hono } from "hono";
import * as v from "valibot";
import { doneSchema, subnetListSchema, type Subnet } from "../../api/schema/admin.ts";
import { subnetIdSchema } from "../../api/schema/common.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import type { DeliveryCount } from "../catalog/index.ts";
import type { Scope } from "../../model/role.ts";
import { documented, pathParameters } from "../openapi.ts";
import { isInScope, scopeOf } from "../scope.ts";

export function subnetRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/",
    documented({ summary: "All subnets that devices are on", audience: ["admin"], answer: subnetListSchema }),
    allow(context),
    async (c) => c.json({ subnets: await subnetsOf(context, scopeOf(c)) }),
  );
  routes.post(
    "/:id/split",
    documented({
      summary: "End all merges into a subnet; devices that still reach each other merge it again",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    pathParameters(v.object({ id: subnetIdSchema })),
    async (c) => {
      const { id } = c.req.valid("param");
      const moved = await context.catalog.subnets.split(id);
      if (moved.length === 0) {
        throw new ApiError(404, `No subnet was merged into ${id}`, "subnet list shows all");
      }
      context.wan.endRedirects(id);
      context.log.info({ subnetId: id, devices: moved.length }, "subnet split");
      context.changeHub.notify(moved);
      return c.json({ ok: true } as const);
    },
  );
  return routes;
}

async function subnetsOf({ catalog, changeHub }: SourceContext, scope: Scope): Promise<Subnet[]> {
  const devices = (await catalog.devices.list()).filter(
    (device) => device.subnet !== null && isInScope(scope, device),
  );
  const ways = Map.groupBy(await catalog.devices.ways(), ({ subnetId }) => subnetId);
  return [...Map.groupBy(devices, (device) => device.subnet!.id).values()].map((ofSubnet) => {
    const { subnet, subnetName, site } = ofSubnet[0]!;
    const { id, cidr, site: gateway } = subnet!;
    const gateways = new Set(ofSubnet.map(({ ownSubnet }) => ownSubnet!.site));
    gateways.delete(gateway);
    return {
      id,
      cidr,
      name: subnetName,
      site,
      gateway,
      mergedGateways: [...gateways],
      devices: ofSubnet.length,
      connected: ofSubnet.filter((device) => changeHub.isConnected(device.id)).length,
      // The counts are those of whole subnets.
      ways: scope.length > 0 ? [] : waysOf(ways.get(id) ?? []),
    };
  });
}

/** Sums the delivery modes of a subnet. */
const waysOf = (counts: readonly DeliveryCount[]): Subnet["ways"] =>
  [...Map.groupBy(counts, ({ way }) => way)]
    .map(([way, ofWay]) => {
      const causes: Record<string, number> = {};
      for (const one of ofWay)
        for (const code of one.causes) causes[code] = (causes[code] ?? 0) + one.devices;
      return { way, devices: ofWay.reduce((sum, { devices }) => sum + devices, 0), causes };
    })
    .toSorted((a, b) => b.devices - a.devices);
