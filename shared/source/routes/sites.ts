/**
 * Routes for administrators: sites, and the names of subnets. A subnet belongs to at most one site.
 * Subnets are told apart by their identity, so two branches with one CIDR can be in two sites.
 */
import { Hono } from "hono";
import * as v from "valibot";
import { doneSchema } from "../../api/schema/admin.ts";
import { subnetIdSchema } from "../../api/schema/common.ts";
import {
  labelPathSchema,
  siteListSchema,
  siteRenameSchema,
  subnetLabelSchema,
  type Site,
} from "../../api/schema/labels.ts";
import { pageQuerySchema } from "../../api/schema/page.ts";
import { foldedName } from "../../model/glob.ts";
import type { Scope } from "../../model/role.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { scannedDevices } from "../matching-devices.ts";
import { pageOf } from "../page.ts";
import { scopeOf } from "../scope.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { refuseIfNamed } from "./tags.ts";

const bodyBytesMax = 4_096;
const done = { ok: true } as const;

export function siteRoutes(context: SourceContext): Hono<SourceEnv> {
  const { labels } = context.catalog;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/sites",
    documented({
      summary: "Sites with the number of their devices, a page at a time",
      audience: ["admin"],
      answer: siteListSchema,
    }),
    allow(context),
    queryParameters(pageQuerySchema),
    async (c) => {
      const sites = await sitesOf(context, scopeOf(c));
      const { rows, next } = pageOf(c.req.valid("query"), sites, ({ name }) => name);
      return c.json({ sites: rows, next });
    },
  );
  routes.put(
    "/sites/:name",
    documented({ summary: "Make a site", audience: ["admin"], answer: doneSchema }),
    allow(context),
    pathParameters(labelPathSchema),
    async (c) => {
      const { name } = c.req.valid("param");
      if (!(await labels.createSite(name, context.nowMs()))) throw exists(name);
      context.log.info({ site: name }, "site created");
      return c.json(done);
    },
  );
  addSiteChanges(routes, context);
  addSubnetLabels(routes, context);
  return routes;
}

const exists = (name: string): ApiError =>
  new ApiError(409, `A site named "${name}" exists`, "site list shows all");

/** Returns the spelling of a site's name. @throws ApiError 404 for an unknown one */
async function siteNamed({ catalog }: SourceContext, name: string): Promise<string> {
  const found = (await catalog.labels.sites()).find((one) => foldedName(one.name) === foldedName(name));
  if (found) return found.name;
  throw new ApiError(404, `No site is named "${name}"`, "site list shows all, site create makes one");
}

function addSiteChanges(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { labels } = context.catalog;
  routes.patch(
    "/sites/:name",
    documented({
      summary: "Rename a site, unless an open task or an assigned setting names it",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    pathParameters(labelPathSchema),
    jsonBody(siteRenameSchema),
    async (c) => {
      const name = await siteNamed(context, c.req.valid("param").name);
      const newName = c.req.valid("json").name;
      const isOther = foldedName(name) !== foldedName(newName);
      const isTaken = (await labels.sites()).some((one) => foldedName(one.name) === foldedName(newName));
      if (isOther && isTaken) throw exists(newName);
      if (isOther) await refuseIfNamed(context, "sites", name);
      await labels.renameSite(name, newName);
      context.log.info({ site: name, newName }, "site renamed");
      return c.json(done);
    },
  );
  routes.delete(
    "/sites/:name",
    documented({
      summary:
        "Remove a site, unless an open task or an assigned setting names it; its subnets are without one",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    pathParameters(labelPathSchema),
    async (c) => {
      const name = await siteNamed(context, c.req.valid("param").name);
      await refuseIfNamed(context, "sites", name);
      await labels.removeSite(name);
      context.log.info({ site: name }, "site removed");
      return c.json(done);
    },
  );
}

function addSubnetLabels(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, changeHub, log } = context;
  routes.patch(
    "/subnets/:id",
    documented({
      summary: "Name a subnet, or assign it to a site",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    pathParameters(v.object({ id: subnetIdSchema })),
    jsonBody(subnetLabelSchema),
    async (c) => {
      const { id } = c.req.valid("param");
      const { name, site } = c.req.valid("json");
      const { deviceList } = catalog;
      const own = (await deviceList.onSubnets([id], [])).map((device) => device.id);
      if (own.length === 0) throw new ApiError(404, `No device is on subnet ${id}`, "subnet list shows all");
      if (name !== undefined && name !== null) await refuseTaken(context, name, id);
      const known = site === undefined || site === null ? site : await siteNamed(context, site);
      await catalog.labels.labelSubnet(id, { name, site: known });
      log.info({ subnetId: id, name, site: known }, "subnet labelled");
      changeHub.notify(own);
      return c.json(done);
    },
  );
}

async function refuseTaken({ catalog }: SourceContext, name: string, id: string): Promise<void> {
  const other = (await catalog.deviceList.subnetNames()).find(
    (one) => one.id !== id && foldedName(one.name) === foldedName(name),
  );
  if (other) throw new ApiError(409, `Subnet ${other.id} is named "${name}"`, "choose another name");
}

/** Returns all sites, or those with a device of the scope. */
async function sitesOf(context: SourceContext, scope: Scope): Promise<Site[]> {
  const sites = await context.catalog.labels.sites();
  const counts = scope.length === 0 ? await wholeCounts(context) : await countsInScope(context, scope);
  const visible = sites.filter(({ name }) => scope.length === 0 || counts.has(name));
  return visible.map((site) => Object.assign({}, site, counts.get(site.name) ?? noDevices));
}

type SiteCounts = Pick<Site, "subnets" | "devices" | "connected">;
const noDevices: SiteCounts = { subnets: 0, devices: 0, connected: 0 };

/** Returns the counts of sites, which are kept at write time. */
async function wholeCounts({ catalog, changeHub }: SourceContext): Promise<Map<string, SiteCounts>> {
  const counts = new Map<string, SiteCounts>();
  for (const [name, one] of await catalog.deviceList.siteCounts()) counts.set(name, { ...one, connected: 0 });
  const sites = await catalog.deviceList.sitesOfSubnets();
  for (const [subnetId, connected] of changeHub.connectedBySubnet) {
    const name = sites.get(subnetId);
    const found = name === undefined ? undefined : counts.get(name);
    if (found) counts.set(name!, { ...found, connected: found.connected + connected });
  }
  return counts;
}

async function countsInScope(context: SourceContext, scope: Scope): Promise<Map<string, SiteCounts>> {
  const found = new Map<string, { subnets: Set<string>; devices: number; connected: number }>();
  for await (const devices of scannedDevices(context, "all", scope))
    for (const { id, site, subnet } of devices) {
      if (site === null) continue;
      const one = found.get(site) ?? { subnets: new Set(), devices: 0, connected: 0 };
      found.set(site, one);
      one.subnets.add(subnet!.id);
      one.devices++;
      if (context.changeHub.isConnected(id)) one.connected++;
    }
  return new Map(
    [...found].map(([name, { subnets, ...rest }]) => [name, { ...rest, subnets: subnets.size }] as const),
  );
}
