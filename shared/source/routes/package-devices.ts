/** Route for administrators: which devices hold a version of a package, and which lack it. */
import { Hono } from "hono";
import * as v from "valibot";
import { successStates } from "../../api/schema/common.ts";
import {
  packageDevicesQuerySchema,
  packageDevicesSchema,
  type PackageDevices,
} from "../../api/schema/device.ts";
import { allow } from "../auth.ts";
import type { DeviceRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import type { Scope } from "../../model/role.ts";
import { documented, pathParameters, queryParameters } from "../openapi.ts";
import { isInScope, scopeOf } from "../scope.ts";
import { packageNamed } from "./named-package.ts";

type PackageDevice = PackageDevices["devices"][number];

export function packageDeviceRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/:package/devices",
    documented({
      summary: "Devices that have a package in their cache or ran its command; or those that lack it",
      audience: ["admin"],
      answer: packageDevicesSchema,
    }),
    allow(context),
    pathParameters(v.object({ package: v.pipe(v.string(), v.maxLength(256)) })),
    queryParameters(packageDevicesQuerySchema),
    async (c) => {
      const { id, name, version } = await packageNamed(context, c.req.valid("param").package);
      const isLacking = c.req.valid("query").lacking === "true";
      const devices = (await devicesOf(context, id, scopeOf(c))).filter((one) => lacks(one) === isLacking);
      return c.json({ packageId: id, name, version, devices });
    },
  );
  return routes;
}

const lacks = ({ cached, run }: PackageDevice): boolean =>
  !cached && (run === null || !successStates.has(run));

async function devicesOf(
  { catalog, changeHub, nowMs }: SourceContext,
  packageId: string,
  scope: Scope,
): Promise<PackageDevice[]> {
  const { holders, checkedInAtMs } = await catalog.life.holdersOf(packageId);
  const reports = Map.groupBy(await catalog.life.reportsOfPackage(packageId), ({ deviceId }) => deviceId);
  const visible = (await catalog.devices.list()).filter((one) => isInScope(scope, one));
  return visible.map((device: DeviceRecord) => {
    const own = reports.get(device.id) ?? [];
    const lastRun = own.findLast(({ action }) => action !== "pre-cache");
    // A report since the last check-in knows more about the cache than that check-in.
    const hasReported = own.some(
      ({ state, updatedAtMs }) =>
        successStates.has(state) && updatedAtMs >= (checkedInAtMs.get(device.id) ?? 0),
    );
    const connected = changeHub.isConnected(device.id);
    return {
      deviceId: device.id,
      hostname: device.hostname,
      name: device.name,
      connected,
      lastSeenAtMs: connected ? nowMs() : device.lastSeenAtMs,
      cached: holders.has(device.id) || hasReported,
      run: lastRun?.state ?? null,
      runTaskId: lastRun?.taskId ?? null,
    };
  });
}
