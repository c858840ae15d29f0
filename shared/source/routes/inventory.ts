/** Routes for administrators: devices and their subnets. */
import { Hono } from "hono";
import * as v from "valibot";
import {
  deviceListSchema,
  doneSchema,
  subnetListSchema,
  type Device,
  type Subnet,
} from "../../api/schema/admin.ts";
import { subnetIdSchema } from "../../api/schema/common.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, pathParameters } from "../openapi.ts";
import { ownSettingOf } from "../setting-reach.ts";

export function inventoryRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/devices",
    documented({
      summary: "All devices with their inventory",
      audience: ["admin"],
      answer: deviceListSchema,
    }),
    allow(context, "admin"),
    async (c) => c.json({ devices: await devicesOf(context) }),
  );
  routes.get(
    "/subnets",
    documented({ summary: "All subnets that devices are on", audience: ["admin"], answer: subnetListSchema }),
    allow(context, "admin"),
    async (c) => c.json({ subnets: await subnetsOf(context) }),
  );
  routes.post(
    "/subnets/:id/split",
    documented({
      summary: "End all merges into a subnet; devices that still reach each other merge it again",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context, "admin"),
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

async function devicesOf({ catalog, changeHub, duplicates, nowMs }: SourceContext): Promise<Device[]> {
  const inventories = await catalog.devices.inventories();
  const assignments = await catalog.settings.assignments();
  const atMs = nowMs();
  return (await catalog.devices.list()).map((device) => ({
    id: device.id,
    hostname: device.hostname,
    subnetId: device.subnet?.id ?? null,
    setting: ownSettingOf(assignments, device),
    enrolledAtMs: device.enrolledAtMs,
    lastSeenAtMs: changeHub.isConnected(device.id) ? atMs : device.lastSeenAtMs,
    connected: changeHub.isConnected(device.id),
    duplicate: duplicates.isDuplicate(device.id, atMs),
    inventory: inventories.get(device.id) ?? null,
  }));
}

async function subnetsOf({ catalog, changeHub }: SourceContext): Promise<Subnet[]> {
  const devices = (await catalog.devices.list()).filter((device) => device.subnet !== null);
  return [...Map.groupBy(devices, (device) => device.subnet!.id).values()].map((ofSubnet) => {
    const { id, cidr, site } = ofSubnet[0]!.subnet!;
    const sites = new Set(ofSubnet.map(({ ownSubnet }) => ownSubnet!.site));
    sites.delete(site);
    const connected = ofSubnet.filter((device) => changeHub.isConnected(device.id)).length;
    return { id, cidr, site, mergedSites: [...sites], devices: ofSubnet.length, connected };
  });
}
