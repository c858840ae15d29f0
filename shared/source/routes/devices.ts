/** Routes for administrators about the life of devices: inventory, history, name, removal. */
import { Hono } from "hono";
import * as v from "valibot";
import {
  deviceListSchema,
  deviceRemovedSchema,
  deviceRenameSchema,
  deviceSchema,
  deviceTasksQuerySchema,
  deviceTasksSchema,
  deviceWordsSchema,
  type Device,
  type DeviceTask,
} from "../../api/schema/device.ts";
import { deviceListQuerySchema } from "../../api/schema/labels.ts";
import type { Inventory } from "../../api/schema/common.ts";
import type { Scope } from "../../model/role.ts";
import { allow } from "../auth.ts";
import type { DeviceHistoryEntry, DeviceKey, DeviceOrder, DeviceRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { removeDevices } from "../device-removal.ts";
import { removeEarlierRows } from "../imaging-devices.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { filterOf, keyOfDevice } from "../matching-devices.ts";
import { keyIn, readPage, type Page } from "../page.ts";
import { deviceInScope, scopeOf } from "../scope.ts";
import { ownSettingOf, targetsOf } from "../setting-reach.ts";
import { openTargeting } from "../targeting.ts";
import { addDeviceDetails } from "./device-details.ts";
import { addDeviceLog } from "./device-log.ts";
import { deviceNamed } from "./named-device.ts";
import { openWishes } from "./tags.ts";
import { checkTarget } from "./target-check.ts";

export function deviceRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addViews(routes, context);
  addChanges(routes, context);
  addDeviceDetails(routes, context);
  addDeviceLog(routes, context);
  return routes;
}

function addViews(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog } = context;
  routes.get(
    "/",
    documented({
      summary: "Devices with their inventory, without removed ones: filtered and sorted, a page at a time",
      audience: ["admin"],
      answer: deviceListSchema,
    }),
    allow(context),
    queryParameters(deviceListQuerySchema),
    async (c) => {
      const query = c.req.valid("query");
      await checkTarget(context, query.filter);
      const { rows, next } = await devicePage(context, query, scopeOf(c));
      return c.json({ devices: await listViews(context, rows), next });
    },
  );
  routes.get(
    "/:device",
    documented({ summary: "A device, also a removed one", audience: ["admin"], answer: deviceSchema }),
    allow(context),
    pathParameters(deviceWordsSchema),
    async (c) => {
      const device = await deviceInScope(context, c, c.req.valid("param").device);
      return c.json(await fullView(context, device));
    },
  );
  routes.get(
    "/:device/tasks",
    documented({
      summary: "The tasks that a device reported, the last report first",
      audience: ["admin"],
      answer: deviceTasksSchema,
    }),
    allow(context),
    pathParameters(deviceWordsSchema),
    queryParameters(deviceTasksQuerySchema),
    async (c) => {
      const { id } = await deviceInScope(context, c, c.req.valid("param").device);
      const history = await catalog.life.history(id, Number(c.req.valid("query").limit));
      return c.json({ tasks: history.map(taskOf) });
    },
  );
}

function addChanges(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, changeHub, log, metrics } = context;
  routes.patch(
    "/:device",
    documented({ summary: "Name a device; null: no name", audience: ["admin"], answer: deviceSchema }),
    allow(context),
    limitBody(1_024),
    pathParameters(deviceWordsSchema),
    jsonBody(deviceRenameSchema),
    async (c) => {
      const { id } = await deviceInScope(context, c, c.req.valid("param").device);
      const { name } = c.req.valid("json");
      await catalog.life.rename(id, name);
      log.info({ device: id, name }, "device renamed");
      return c.json(await fullView(context, await deviceNamed(context, id)));
    },
  );
  routes.post(
    "/:device/approve",
    documented({
      summary: "Let the tags of a suspended device count again, and a waiting one get tasks",
      audience: ["admin"],
      answer: deviceSchema,
    }),
    allow(context),
    pathParameters(deviceWordsSchema),
    async (c) => {
      const { id } = await deviceInScope(context, c, c.req.valid("param").device, "kept");
      if (await catalog.life.approve(id)) {
        metrics.deviceEvents.inc({ event: "approved" });
        log.info({ device: id }, "device approved");
        await removeEarlierRows(context, id);
        changeHub.notify([id]);
      }
      return c.json(await fullView(context, await deviceNamed(context, id)));
    },
  );
  routes.delete(
    "/:device",
    documented({
      summary: "Remove a device: its credential is barred at once",
      audience: ["admin"],
      answer: deviceRemovedSchema,
    }),
    allow(context),
    pathParameters(deviceWordsSchema),
    async (c) => {
      const { id, hostname } = await deviceInScope(context, c, c.req.valid("param").device, "kept");
      await removeDevices(context, [id], "removed");
      return c.json({ deviceId: id, hostname });
    },
  );
}

const deviceKeySchema = v.pipe(v.tuple([v.union([v.string(), v.number()]), v.string()]), v.readonly());

/** Reads one page of devices, with the filters and in the order of the query. */
async function devicePage(
  context: SourceContext,
  query: v.InferOutput<typeof deviceListQuerySchema>,
  scope: Scope,
): Promise<Page<DeviceRecord>> {
  const { catalog, changeHub } = context;
  const { filter, search, state, subnet: subnetId, connected } = query;
  const isDescending = query.sort.startsWith("-");
  const order = query.sort.replace("-", "") as DeviceOrder;
  const about = { ...filterOf(context, scope, filter), search, state, subnetId, order, isDescending };
  const isFiltered = filter !== "all" || connected !== undefined;
  const read = async (after: DeviceKey | null, limit: number): Promise<ListedDevice[]> => {
    const devices = await catalog.deviceList.page({ ...about, after, limit });
    if (!isFiltered) return devices.map((device) => ({ device, isMatched: true }));
    const ids = devices.map(({ id }) => id);
    const targeting = await openTargeting(context, [filter], ids);
    const isMatched = (device: DeviceRecord): boolean =>
      targeting.matches(filter, device) &&
      (connected === undefined || changeHub.isConnected(device.id) === (connected === "true"));
    return devices.map((device) => ({ device, isMatched: isMatched(device) }));
  };
  const { rows, next } = await readPage({
    query,
    after: keyIn(query, deviceKeySchema),
    read,
    keyOf: ({ device }) => keyOfDevice(order, device),
    accepts: isFiltered ? ({ isMatched }) => isMatched : null,
  });
  return { rows: rows.map(({ device }) => device), next };
}

type ListedDevice = { readonly device: DeviceRecord; readonly isMatched: boolean };

async function listViews(context: SourceContext, devices: readonly DeviceRecord[]): Promise<Device[]> {
  const { catalog } = context;
  const assignments = await catalog.settings.assignments();
  const ids = devices.map(({ id }) => id);
  const targeting = await openTargeting(context, targetsOf(assignments), ids);
  const inventories = await catalog.devices.inventories(ids);
  return devices.map((one) =>
    viewOf(context, one, ownSettingOf(assignments, targeting, one), inventories.get(one.id) ?? null),
  );
}

async function fullView(context: SourceContext, device: DeviceRecord): Promise<Device> {
  const { catalog } = context;
  const assignments = await catalog.settings.assignments();
  const targeting = await openTargeting(context, targetsOf(assignments), [device.id]);
  const setting = ownSettingOf(assignments, targeting, device);
  return viewOf(context, device, setting, await catalog.life.inventoryOf(device.id));
}

function viewOf(
  { changeHub, nowMs }: SourceContext,
  device: DeviceRecord,
  setting: string,
  inventory: Inventory | null,
): Device {
  const { life } = device;
  const connected = changeHub.isConnected(device.id);
  return {
    id: device.id,
    hostname: device.hostname,
    subnetId: device.subnet?.id ?? null,
    subnetName: device.subnetName,
    site: device.site,
    setting,
    tags: [...device.tags],
    wishes: openWishes(device),
    enrolledAtMs: device.enrolledAtMs,
    lastSeenAtMs: connected ? nowMs() : device.lastSeenAtMs,
    connected,
    name: device.name,
    agentVersion: device.agentVersion,
    state: life.state,
    stateSinceMs: life.state === "active" ? null : life.atMs,
    removedWhy: life.state === "removed" ? life.why : null,
    takenOverAtMs: device.takenOverAtMs,
    enrolledWith: device.enrolledWith,
    isImaging: device.isImaging,
    approvalCode: device.approvalCode,
    inventory,
  };
}

function taskOf({ task, progress, updatedAtMs }: DeviceHistoryEntry): DeviceTask {
  const { id, state, run, command, ...about } = task;
  const { taskId: _, ...rest } = progress;
  return { taskId: id, taskState: state, runs: run ?? command, updatedAtMs, ...about, ...rest };
}
