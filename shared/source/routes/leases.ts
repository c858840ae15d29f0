/**
 * Routes for devices by which they get the right to download: leases, and tokens for WAN fallback.
 * The rules are in model/lease.ts and fallback-tokens.ts.
 */
import { Hono } from "hono";
import { doneSchema } from "../../api/schema/admin.ts";
import {
  fallbackRequestSchema,
  fallbackResponseSchema,
  leaseReleaseSchema,
  leaseRequestSchema,
  leaseResponseSchema,
} from "../../api/schema/agent.ts";
import { leaseFailedMs, type LeaseTerms } from "../../model/lease.ts";
import { resolveSetting } from "../../model/setting-inheritance.ts";
import { deviceClock } from "../../model/time-zone.ts";
import { wanRateAt } from "../../model/wan-schedule.ts";
import { allow } from "../auth.ts";
import {
  holderOf,
  noLease,
  releaseLease,
  requestLease,
  spendByFallback,
  type DeviceKey,
  type DeviceRecord,
  type TaskRecord,
} from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { keyOfDevice } from "../matching-devices.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { overridingSetting, ownSettingOf, targetsOf } from "../setting-reach.ts";
import { openTargeting } from "../targeting.ts";
import { taskById, taskNamed } from "./agent-tasks.ts";
import { checkAddress, currentSubnetId, participation } from "./participation.ts";

export function leaseRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addLeases(routes, context);
  addRelease(routes, context);
  addFallback(routes, context);
  return routes;
}

/** Returns where a device that may download finds the package, and its size. */
async function placesOf({ catalog, content }: SourceContext, packageId: string) {
  const { urls, sizeBytes } = (await catalog.packages.byId(packageId))!;
  return { urls: [...urls], atSource: await content.has(packageId, sizeBytes), packageBytes: sizeBytes };
}

/** Returns whether the subnet has other devices than this one. */
const hasOthers = async ({ catalog }: SourceContext, { subnet }: DeviceRecord): Promise<boolean> =>
  subnet !== null && (await catalog.subnets.deviceCount(subnet.id)) > 1;

function addFallback(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.post(
    "/fallback",
    documented({
      summary:
        "Request or return a token for WAN fallback, for a device that cannot reach its representative",
      audience: ["device"],
      answer: fallbackResponseSchema,
    }),
    allow(context),
    limitBody(16_384),
    jsonBody(fallbackRequestSchema),
    async (c) => {
      const { device } = c.var;
      const { release, uselessBytes, ...request } = c.req.valid("json");
      const { packageId, share } = await participation(context, device, request);
      const token = { packageId, share, deviceId: device.id };
      const { packageBytes, ...places } = await placesOf(context, packageId);
      const spenders = { packageBytes, hasOthers: await hasOthers(context, device) };
      const spentBytes = context.fallback.spend(token, uselessBytes);
      const uselessBytesLeft = await context.catalog.leases.update(packageId, share, (state) =>
        spendByFallback(state ?? noLease, device.id, spentBytes, spenders, context.nowMs()),
      );
      if (release === true || uselessBytesLeft === 0) context.fallback.giveBack(token);
      if (release === true) return c.json({ result: "refused" as const, retryAfterMs: 0 });
      const answer =
        uselessBytesLeft === 0
          ? { result: "refused" as const, retryAfterMs: leaseFailedMs }
          : context.fallback.ask(token, context.nowMs(), uselessBytes);
      context.metrics.fallbacks.inc({ result: answer.result });
      if (answer.result === "granted") context.wan.granted(packageId, token.deviceId, request.taskId);
      return c.json(answer.result === "granted" ? { ...answer, ...places, uselessBytesLeft } : answer);
    },
  );
}

/** Returns the number of other connected devices that the session of a subnet is for. */
async function presentOn(context: SourceContext, taskId: number, own: DeviceRecord): Promise<number> {
  const { catalog, changeHub } = context;
  if (own.subnet === null) return 0;
  const { target } = await taskById(catalog, taskId);
  const devices = (await catalog.devices.withoutEnd(taskId, own.subnet.id)).filter(
    ({ id, share }) => id !== own.id && share === own.share && changeHub.isConnected(id),
  );
  const targeting = await openTargeting(
    context,
    [target],
    devices.map(({ id }) => id),
  );
  return devices
    .filter(({ life }) => life.state !== "waiting")
    .filter((device) => targeting.matches(target, device)).length;
}

/** Returns the number of devices of a task that share a lease on a subnet. */
async function sharersOf(
  context: SourceContext,
  task: TaskRecord,
  { subnetId, share }: { readonly subnetId: string; readonly share: string },
): Promise<number> {
  const { deviceList, tasks } = context.catalog;
  const onSubnet = { scope: [], targets: [], acceptsWishes: context.acceptsWishes, subnetId };
  let count = 0;
  for (let after: DeviceKey | null = null; ;) {
    const order = { order: "enrolledAtMs", isDescending: false, after, limit: sharerRows } as const;
    const devices: DeviceRecord[] = await deviceList.page({ ...onSubnet, ...order });
    const ids = devices.map(({ id }) => id);
    const targeting = await openTargeting(context, [task.target], ids);
    const reports = await tasks.reportsFor(task.id, ids);
    count += targeting.devicesOf(task, devices, reports).filter((one) => one.share === share).length;
    if (devices.length < sharerRows) return count;
    after = keyOfDevice("enrolledAtMs", devices.at(-1)!);
  }
}
const sharerRows = 500;

/** Returns the parts of the task's setting that explain why a holder sends nothing. */
async function serviceTerms(context: SourceContext, device: DeviceRecord, task: TaskRecord) {
  const { settings } = context.catalog;
  const [tree, assignments] = [await settings.tree(), await settings.assignments()];
  const targeting = await openTargeting(context, targetsOf(assignments), [device.id]);
  const own = (): string => ownSettingOf(assignments, targeting, device);
  const { values } = overridingSetting(tree, task) ?? resolveSetting(tree, own());
  return {
    startDelayMs: values.sessionStartDelayMs,
    reportIntervalMs: values.reportIntervalMs,
    isPaused: wanRateAt(values, deviceClock(context.nowMs())) === 0,
  };
}

function addLeases(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, nowMs, metrics, log } = context;
  routes.post(
    "/lease",
    documented({
      summary: "Request or renew the lease: the right to spend WAN bytes for a task's package on a subnet",
      audience: ["device"],
      answer: leaseResponseSchema,
    }),
    allow(context),
    limitBody(16_384),
    jsonBody(leaseRequestSchema),
    async (c) => {
      const { device } = c.var;
      const request = c.req.valid("json");
      const { packageId, share } = await participation(context, device, request);
      checkAddress(device, request.address);
      const { packageBytes, ...places } = await placesOf(context, packageId);
      const spenders = { packageBytes, hasOthers: await hasOthers(context, device) };
      const ask = (terms: Omit<LeaseTerms, keyof typeof spenders>) =>
        catalog.leases.update(packageId, share, (state) =>
          requestLease(state ?? noLease, device.id, request, { ...spenders, ...terms }, nowMs()),
        );
      // Most requests are renewals, whose answer does not depend on the setting.
      let answer = await ask({ startDelayMs: 0, reportIntervalMs: 0, isPaused: true });
      if (answer.result === "refused") {
        const { holder } = answer;
        answer = await ask(await serviceTerms(context, device, await taskById(catalog, request.taskId)));
        const facts = { device: device.id, share, packageId, holder: holder.deviceId };
        if (answer.result === "granted")
          log.warn(facts, "the holder of a lease served nobody: it lost the lease");
      }
      metrics.leases.inc({ result: answer.result });
      if (answer.result !== "granted") return c.json(answer);
      context.wan.granted(packageId, device.id, request.taskId);
      const present =
        request.starting === true ? { present: await presentOn(context, request.taskId, device) } : {};
      return c.json({ ...answer, ...places, ...present });
    },
  );
}

function addRelease(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, nowMs, log } = context;
  routes.post(
    "/lease/release",
    documented({
      summary: "Release the lease, with the reason when the download failed",
      audience: ["device"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(16_384),
    jsonBody(leaseReleaseSchema),
    async (c) => {
      const { device } = c.var;
      const { taskId, epoch, failure, uselessBytes, ...request } = c.req.valid("json");
      const subnetId = currentSubnetId(device, request.subnetId);
      // The holder may release the lease even after it moved to another subnet.
      const share = device.subnet?.id === subnetId ? device.share! : subnetId;
      const task = await taskNamed(catalog, { taskId, epoch });
      const terms = {
        deviceCount: failure === null ? 0 : await sharersOf(context, task, { subnetId, share }),
        isKnown: (await catalog.devicePackages.ofDevice(device.id)).length > 0,
        packageBytes: task.packageBytes,
        hasOthers: await hasOthers(context, device),
      };
      if ((await catalog.packages.byId(task.packageId)) === null) return c.json({ ok: true } as const);
      await catalog.leases.update(task.packageId, share, (state) =>
        releaseLease(state ?? noLease, device.id, { failure, uselessBytes }, terms, nowMs()),
      );
      if (failure !== null) log.warn({ device: device.id, taskId, share, failure }, "representative failed");
      return c.json({ ok: true } as const);
    },
  );
}

/** Ends the leases and the token of a device that has left its subnet. */
export async function giveUpShare(context: SourceContext, before: DeviceRecord): Promise<void> {
  context.fallback.giveUp(before.id);
  if (before.share !== null) await context.catalog.leases.giveUp(before.share, before.id);
}

/** Whether the device may download: no other device has the right, or it has a token. */
export async function mayDownload(
  { catalog, fallback, nowMs }: SourceContext,
  { id, share }: DeviceRecord,
  packageId: string,
): Promise<boolean> {
  if (share === null || fallback.isHeldBy(id, packageId, nowMs())) return true;
  const lease = await catalog.leases.read(packageId, share);
  const holder = lease && holderOf(lease, nowMs());
  return holder === null || holder.deviceId === id;
}
