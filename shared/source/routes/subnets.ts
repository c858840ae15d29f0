/** Routes for administrators: the subnets of the devices. */
import { Hono } from "hono";
import * as v from "valibot";
import { doneSchema, subnetListSchema, type Subnet } from "../../api/schema/admin.ts";
import { subnetIdSchema } from "../../api/schema/common.ts";
import { pageQuerySchema, type PageQuery } from "../../api/schema/page.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import type { DeliveryCount } from "../catalog/index.ts";
import type { Scope } from "../../model/role.ts";
import { documented, pathParameters, queryParameters } from "../openapi.ts";
import { keyIn, readPage } from "../page.ts";
import { scopeOf } from "../scope.ts";

export function subnetRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/",
    documented({
      summary: "Subnets that devices are on, by id, a page at a time",
      audience: ["admin"],
      answer: subnetListSchema,
    }),
    allow(context),
    queryParameters(pageQuerySchema),
    async (c) => c.json(await subnetPage(context, c.req.valid("query"), scopeOf(c))),
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

async function subnetPage(
  { catalog, changeHub }: SourceContext,
  query: PageQuery,
  scope: Scope,
): Promise<{ subnets: Subnet[]; next: string | null }> {
  const { deviceList } = catalog;
  const { rows, next } = await readPage({
    query,
    after: keyIn(query, v.string()),
    read: (after: string | null, limit) => deviceList.subnets({ after, limit, scope }),
    keyOf: ({ id }) => id,
  });
  const ids = rows.map(({ id }) => id);
  const devices = Map.groupBy(await deviceList.onSubnets(ids, scope), ({ subnetId }) => subnetId);
  // The counts are those of whole subnets.
  const counts = scope.length > 0 ? [] : await catalog.devices.ways(ids);
  const ways = Map.groupBy(counts, ({ subnetId }) => subnetId);
  const subnets = rows.map((place) => {
    const own = devices.get(place.id) ?? [];
    const gateways = new Set(own.map(({ gateway }) => gateway));
    gateways.delete(place.gateway);
    return {
      id: place.id,
      cidr: place.cidr,
      name: place.name,
      site: place.site,
      gateway: place.gateway,
      mergedGateways: [...gateways],
      devices: own.length,
      connected: own.filter((device) => changeHub.isConnected(device.id)).length,
      ways: waysOf(ways.get(place.id) ?? []),
    };
  });
  return { subnets, next };
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
