/**
 * Routes for devices: check-in, event stream, leases, WAN fallback and progress reports.
 */
import { Hono, type Context } from "hono";
import {
  noLease,
  releaseLease,
  requestLease,
  spendByFallback,
  type DevicePlace,
  type PackageKeys,
} from "../catalog/index.ts";
import { leaseFailedMs } from "../../model/lease.ts";
import { canonicalAddress, subnetIdentity } from "../../model/subnet.ts";
import { doneSchema } from "../../api/schema/admin.ts";
import { endStates, type Inventory } from "../../api/schema/common.ts";
import {
  checkInRequestSchema,
  checkInResponseSchema,
  handBackSchema,
  fallbackRequestSchema,
  fallbackResponseSchema,
  leaseReleaseSchema,
  leaseRequestSchema,
  leaseResponseSchema,
  neighbourSchema,
  progressRequestSchema,
  type CheckInResponse,
} from "../../api/schema/agent.ts";
import { targetsOf } from "../setting-reach.ts";
import { dependsOnResults, openTargeting } from "../targeting.ts";
import { agentTasksOf, targetedDevices, taskById, taskNamed } from "./agent-tasks.ts";
import { addManifests } from "./agent-manifest.ts";
import { enrolmentRoutes } from "./enrolment.ts";
import { currentSubnetId, participation } from "./participation.ts";
import { allow, countRefusal } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { barredError } from "../barred-credential.ts";
import { removeDevices } from "../device-removal.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { openEndedWithout } from "../returning-devices.ts";
import { extendTrustFile, trustBytesMax } from "./trust.ts";
import { confirmProbe, onRepresentativeReceived, proposeProbes } from "../subnet-merging.ts";

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const done = { ok: true } as const;

export function agentRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.route("/", enrolmentRoutes(context));
  addCheckIn(routes, context);
  addStatements(routes, context);
  addManifests(routes, context);
  addLeases(routes, context);
  addFallback(routes, context);
  addEvents(routes, context);
  routes.post(
    "/progress",
    documented({ summary: "Report the progress of tasks", audience: ["device"], answer: doneSchema }),
    allow(context),
    limitBody(),
    jsonBody(progressRequestSchema),
    async (c) => {
      const { reports } = c.req.valid("json");
      // Reports of web bytes are compared with what the source has sent.
      if (reports.some(({ wanBytesFetched }) => wanBytesFetched > 0)) await context.wan.flush();
      await context.catalog.tasks.recordProgress(c.var.device.id, reports, context.nowMs());
      for (const { state, taskId } of reports)
        if (state === "complete" || state === "superseded") context.noted.add(taskId);
      for (const follows of new Set(reports.map((one) => one.follows)))
        if (follows !== null) await onRepresentativeReceived(context, c.var.device, follows);
      if (reports.some(({ state }) => endStates.has(state))) await announceResults(context, c.var.device.id);
      return c.json(done);
    },
  );
  return routes;
}

/** Wakes a device whose results may have changed which tasks are for it, or its own setting. */
async function announceResults({ catalog, changeHub }: SourceContext, deviceId: string): Promise<void> {
  const targets = targetsOf([...(await catalog.tasks.open()), ...(await catalog.settings.assignments())]);
  if (targets.some(dependsOnResults)) changeHub.notify([deviceId]);
}

function addCheckIn(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, nowMs } = context;
  routes.post(
    "/check-in",
    documented({
      summary: "Send the inventory, receive tasks and settings",
      audience: ["device"],
      answer: checkInResponseSchema,
    }),
    allow(context),
    limitBody(),
    jsonBody(checkInRequestSchema),
    async (c) => {
      const { inventory, packages, serving, lanPort, instance, trust } = c.req.valid("json");
      const place = placeOf(inventory, canonicalAddress(c.env.remoteAddress), lanPort);
      const atMs = nowMs();
      const { id } = c.var.device;
      if (instance !== undefined)
        await noteInstance(context, c, { instance, address: place?.address ?? "none" });
      const subnet = await catalog.devices.recordCheckIn(id, { inventory, packages, place, atMs });
      const device = (await catalog.devices.byId(id)) ?? c.var.device;
      context.liveness.noteCheckIn(id);
      await openEndedWithout(context, device);
      if (place !== null && device.life.state !== "waiting") await proposeProbes(context, device, place);
      const answer: CheckInResponse = {
        sourceTimeMs: atMs,
        subnetId: subnet?.id ?? null,
        trust: {
          version: context.trust.file.version,
          files: context.trust.filesAfter(trust.version),
          freshness: await context.orders.freshness(),
        },
        ...(await agentTasksOf(context, device, { serving, trust }, atMs)),
        packageKeys: (await catalog.lanKeys.granted(id, packages)).map(statedKeys),
        killed: await catalog.tasks.killedOn(id),
        probes: context.probes
          .of(id, atMs)
          .map((probe) => Object.assign({}, probe, { secret: base64(probe.secret) })),
        announcedUrl: await catalog.address.announced(),
      };
      return c.json(answer);
    },
  );
}

/** Statements of a device that are about others too: a newer trust file, and a neighbour. */
function addStatements(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.post(
    "/trust",
    documented({
      summary: "Hand back newer versions of the trust file to a source that was restored",
      audience: ["device"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(trustBytesMax),
    jsonBody(handBackSchema),
    async (c) => {
      await extendTrustFile(context, c.req.valid("json").files);
      return c.json(done);
    },
  );
  routes.post(
    "/neighbour",
    documented({
      summary: "Confirm a probe: the other device answered, or asked, with the probe's secret over the LAN",
      audience: ["device"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(1_024),
    jsonBody(neighbourSchema),
    async (c) => {
      await confirmProbe(context, c.req.valid("json").probe, c.var.device.id);
      return c.json(done);
    },
  );
}

const statedKeys = ({ packageId, key, keyBefore }: PackageKeys) => ({
  packageId,
  packageKey: base64(key),
  packageKeyBefore: keyBefore && base64(keyBefore),
});

/** @throws ApiError 403 when several agents use the credential */
async function noteInstance(
  context: SourceContext,
  c: Context<SourceEnv>,
  use: { instance: string; address: string },
): Promise<void> {
  const deviceId = c.var.device.id;
  const addresses = context.duplicates.note(deviceId, use);
  if (addresses === null) return;
  context.log.error(
    { device: deviceId, addresses },
    "two agents use the credential of one device: its ledger.db was copied; both get a new id",
  );
  await removeDevices(context, [deviceId], "cloned");
  countRefusal(context, c, "device-cloned");
  throw barredError("device-cloned");
}

function placeOf(inventory: Inventory, remoteAddress: string, lanPort: number): DevicePlace | null {
  const active = inventory.interfaces.find((one) => one.active);
  if (active === undefined) return null;
  const { group, address } = active;
  return { ownSubnet: subnetIdentity(active, remoteAddress), group, remoteAddress, address, lanPort };
}

function addEvents(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.get(
    "/events",
    documented({
      summary: "Event stream: `event: wake` when something changed for this device; a heartbeat every 20 s",
      audience: ["device"],
      media: "text/event-stream",
    }),
    allow(context),
    (c) => {
      c.env.allowIdle(0);
      const { id } = c.var.device;
      // A connected device is seen, however long it has sent no request.
      const onLost = (): void =>
        void context.catalog.devices
          .touch([id], context.nowMs())
          .catch((error: unknown) => context.log.error({ err: error }, "cannot record the last contact"));
      return c.body(context.changeHub.open(id, onLost), 200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        // Tells a reverse proxy not to buffer events.
        "x-accel-buffering": "no",
      });
    },
  );
}

/** Returns where a device that may download finds the package, and its size. */
async function placesOf({ catalog, content }: SourceContext, packageId: string) {
  const { urls, sizeBytes } = (await catalog.packages.byId(packageId))!;
  return { urls: [...urls], atSource: await content.has(packageId, sizeBytes), packageBytes: sizeBytes };
}

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
      const { release, uselessBytes, ...request } = c.req.valid("json");
      const { packageId, subnetId } = await participation(context, c.var.device, request);
      const token = { packageId, subnetId, deviceId: c.var.device.id };
      const { packageBytes, ...places } = await placesOf(context, packageId);
      const spentBytes = context.fallback.spend(token, uselessBytes);
      const uselessBytesLeft = await context.catalog.leases.update(packageId, subnetId, (state) =>
        spendByFallback(state ?? noLease, c.var.device.id, spentBytes, packageBytes, context.nowMs()),
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
async function presentOn(
  context: SourceContext,
  taskId: number,
  subnetId: string,
  deviceId: string,
): Promise<number> {
  const { catalog, changeHub } = context;
  const { target } = await taskById(catalog, taskId);
  const targeting = await openTargeting(context, [target]);
  const devices = (await catalog.devices.withoutEnd(taskId, subnetId)).filter(
    ({ id }) => id !== deviceId && changeHub.isConnected(id),
  );
  return devices
    .filter(({ life }) => life.state !== "waiting")
    .filter((one) => targeting.matches(target, one)).length;
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
      const request = c.req.valid("json");
      const { packageId, subnetId } = await participation(context, c.var.device, request);
      const { packageBytes, ...places } = await placesOf(context, packageId);
      const answer = await catalog.leases.update(packageId, subnetId, (state) =>
        requestLease(state ?? noLease, c.var.device.id, request, packageBytes, nowMs()),
      );
      metrics.leases.inc({ result: answer.result });
      if (answer.result !== "granted") return c.json(answer);
      context.wan.granted(packageId, c.var.device.id, request.taskId);
      const present =
        request.starting === true
          ? { present: await presentOn(context, request.taskId, subnetId, c.var.device.id) }
          : {};
      return c.json({ ...answer, ...places, ...present });
    },
  );
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
      const { taskId, epoch, failure, uselessBytes, ...request } = c.req.valid("json");
      const subnetId = currentSubnetId(c.var.device, request.subnetId);
      // The holder may release the lease even after it moved to another subnet.
      const task = await taskNamed(catalog, { taskId, epoch });
      const all = failure === null ? [] : await targetedDevices(context, task);
      const deviceCount = all.filter((one) => one.subnet?.id === subnetId).length;
      const subnet = { deviceCount, packageBytes: task.packageBytes };
      if ((await catalog.packages.byId(task.packageId)) === null) return c.json(done);
      await catalog.leases.update(task.packageId, subnetId, (state) =>
        releaseLease(state ?? noLease, c.var.device.id, { failure, uselessBytes }, subnet, nowMs()),
      );
      if (failure !== null) {
        log.warn({ device: c.var.device.id, taskId, subnetId, failure }, "representative failed");
      }
      return c.json(done);
    },
  );
}
