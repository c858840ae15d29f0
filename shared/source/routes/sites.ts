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
import { foldedName } from "../../model/glob.ts";
import type { Scope } from "../../model/role.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { DeviceRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { isInScope, scopeOf } from "../scope.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { refuseIfNamed } from "./tags.ts";

const bodyBytesMax = 4_096;
const done = { ok: true } as const;

export function siteRoutes(context: SourceContext): Hono<SourceEnv> {
  const { labels } = context.catalog;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/sites",
    documented({ summary: "All sites", audience: ["admin"], answer: siteListSchema }),
    allow(context),
    async (c) => c.json({ sites: await sitesOf(context, scopeOf(c)) }),
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
      const devices = await catalog.devices.list();
      const own = devices.filter(({ subnet }) => subnet?.id === id).map((device) => device.id);
      if (own.length === 0) throw new ApiError(404, `No device is on subnet ${id}`, "subnet list shows all");
      if (name !== undefined && name !== null) refuseTaken(name, id, devices);
      const known = site === undefined || site === null ? site : await siteNamed(context, site);
      await catalog.labels.labelSubnet(id, { name, site: known });
      log.info({ subnetId: id, name, site: known }, "subnet labelled");
      changeHub.notify(own);
      return c.json(done);
    },
  );
}

function refuseTaken(name: string, id: string, devices: readonly DeviceRecord[]): void {
  const other = devices.find(
    ({ subnet, subnetName }) => subnet?.id !== id && foldedName(subnetName ?? "") === foldedName(name),
  );
  if (other) throw new ApiError(409, `Subnet ${other.subnet!.id} is named "${name}"`, "choose another name");
}

/** Returns all sites, or those with a device of the scope. */
async function sitesOf({ catalog, changeHub }: SourceContext, scope: Scope): Promise<Site[]> {
  const visible = (await catalog.devices.list()).filter((one) => isInScope(scope, one));
  const bySite = Map.groupBy(visible, ({ site }) => site);
  const sites = (await catalog.labels.sites()).filter(({ name }) => scope.length === 0 || bySite.has(name));
  return sites.map(({ name, createdAtMs }) => {
    const devices = bySite.get(name) ?? [];
    return {
      name,
      createdAtMs,
      subnets: new Set(devices.map(({ subnet }) => subnet!.id)).size,
      devices: devices.length,
      connected: devices.filter(({ id }) => changeHub.isConnected(id)).length,
    };
  });
}
