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
import type { DeviceKey, DeviceRecord, PackageFacts } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import type { Scope } from "../../model/role.ts";
import { documented, pathParameters, queryParameters } from "../openapi.ts";
import { filterOf } from "../matching-devices.ts";
import { keyIn, readPage, type Page } from "../page.ts";
import { scopeOf } from "../scope.ts";
import { packageNamed } from "./named-package.ts";

type PackageDevice = PackageDevices["devices"][number];

export function packageDeviceRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/:package/devices",
    documented({
      summary:
        "Devices that have a package in their cache or ran its command; or that lack it; a page at a time",
      audience: ["admin"],
      answer: packageDevicesSchema,
    }),
    allow(context),
    pathParameters(v.object({ package: v.pipe(v.string(), v.maxLength(256)) })),
    queryParameters(packageDevicesQuerySchema),
    async (c) => {
      const query = c.req.valid("query");
      const { id, name, version } = await packageNamed(context, c.req.valid("param").package);
      const { rows, next } = await packageDevicePage(context, id, query, scopeOf(c));
      return c.json({ packageId: id, name, version, devices: rows, next });
    },
  );
  return routes;
}

const lacks = ({ cached, run }: PackageDevice): boolean =>
  !cached && (run === null || !successStates.has(run));

/** A device and its answer. */
type Row = { readonly key: DeviceKey; readonly view: PackageDevice };
const deviceKeySchema = v.pipe(v.tuple([v.number(), v.string()]), v.readonly());

async function packageDevicePage(
  context: SourceContext,
  packageId: string,
  query: v.InferOutput<typeof packageDevicesQuerySchema>,
  scope: Scope,
): Promise<Page<PackageDevice>> {
  const { catalog } = context;
  const isLacking = query.lacking === "true";
  const filter = { ...filterOf(context, scope, "all"), order: "enrolledAtMs", isDescending: false } as const;
  const read = async (after: DeviceKey | null, limit: number): Promise<Row[]> => {
    const devices = await catalog.deviceList.page({ ...filter, after, limit });
    const facts = await catalog.life.packageFacts(
      packageId,
      devices.map(({ id }) => id),
    );
    return devices.map((device) => ({
      key: [device.enrolledAtMs, device.id],
      view: viewOf(context, device, facts.get(device.id)),
    }));
  };
  const { rows, next } = await readPage({
    query,
    after: keyIn(query, deviceKeySchema),
    read,
    keyOf: ({ key }): DeviceKey => key,
    accepts: ({ view }) => lacks(view) === isLacking,
  });
  return { rows: rows.map(({ view }) => view), next };
}

function viewOf(
  { changeHub, nowMs }: SourceContext,
  device: DeviceRecord,
  facts: PackageFacts | undefined,
): PackageDevice {
  const own = facts?.reports ?? [];
  const lastRun = own.findLast(({ action }) => action !== "pre-cache");
  // A report since the last check-in knows more about the cache than that check-in.
  const hasReported = own.some(
    ({ state, updatedAtMs }) => successStates.has(state) && updatedAtMs >= (facts?.checkedInAtMs ?? 0),
  );
  const connected = changeHub.isConnected(device.id);
  return {
    deviceId: device.id,
    hostname: device.hostname,
    name: device.name,
    connected,
    lastSeenAtMs: connected ? nowMs() : device.lastSeenAtMs,
    cached: facts?.holds === true || hasReported,
    run: lastRun?.state ?? null,
    runTaskId: lastRun?.taskId ?? null,
  };
}
