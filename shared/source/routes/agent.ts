/**
 * Routes for devices: check-in, event stream, leases, WAN fallback and progress reports.
 */
import { Hono, type Context } from "hono";
import type { DevicePlace, DeviceRecord, PackageKeys } from "../catalog/index.ts";
import { noteService } from "../../model/lease.ts";
import { canonicalAddress, subnetIdentity } from "../../model/subnet.ts";
import { doneSchema } from "../../api/schema/admin.ts";
import { endStates, type Inventory, type Progress } from "../../api/schema/common.ts";
import {
  checkInRequestSchema,
  checkInResponseSchema,
  handBackSchema,
  neighbourSchema,
  progressRequestSchema,
  type CheckInResponse,
} from "../../api/schema/agent.ts";
import { targetsOf } from "../setting-reach.ts";
import { dependsOnResults, openTargeting } from "../targeting.ts";
import { agentTasksOf } from "./agent-tasks.ts";
import { addManifests } from "./agent-manifest.ts";
import { addPendingEnrolment } from "./enrolment-pending.ts";
import { enrolmentRoutes } from "./enrolment.ts";
import { giveUpShare, leaseRoutes } from "./leases.ts";
import { allow, countRefusal } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { barredError } from "../barred-credential.ts";
import { removeDevices } from "../device-removal.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { openEndedWithout } from "../returning-devices.ts";
import { extendTrustFile, trustBytesMax } from "./trust.ts";
import { addLogAnswers, waitingRequest } from "./device-log.ts";
import { addWakeResults, noteAwake } from "./wakes.ts";
import { confirmProbe, onRepresentativeReceived, proposeProbes } from "../subnet-merging.ts";

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const done = { ok: true } as const;

export function agentRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.route("/", enrolmentRoutes(context));
  addPendingEnrolment(routes, context);
  addCheckIn(routes, context);
  addStatements(routes, context);
  addManifests(routes, context);
  addLogAnswers(routes, context);
  addWakeResults(routes, context);
  routes.route("/", leaseRoutes(context));
  addEvents(routes, context);
  routes.post(
    "/progress",
    documented({ summary: "Report the progress of tasks", audience: ["device"], answer: doneSchema }),
    allow(context),
    limitBody(),
    jsonBody(progressRequestSchema),
    async (c) => {
      const { device } = c.var;
      const reports = await ownReports(context, device, c.req.valid("json").reports);
      // Reports of web bytes are compared with what the source has sent.
      if (reports.some(({ wanBytesFetched }) => wanBytesFetched > 0)) await context.wan.flush();
      await context.catalog.tasks.recordProgress(c.var.device.id, reports, context.nowMs());
      for (const { taskId } of reports) context.events.note("task", String(taskId));
      for (const { state, taskId } of reports)
        if (state === "complete" || state === "superseded") context.noted.add(taskId);
      for (const follows of new Set(reports.map((one) => one.follows)))
        if (follows !== null) await onRepresentativeReceived(context, device, follows);
      for (const report of reports) await noteReceptions(context, device, report);
      if (reports.some(({ state }) => endStates.has(state))) await announceResults(context, c.var.device.id);
      return c.json(done);
    },
  );
  return routes;
}

/** Leaves out reports of tasks that were never for the device. */
async function ownReports(
  context: SourceContext,
  device: DeviceRecord,
  reports: readonly Progress[],
): Promise<Progress[]> {
  const { tasks } = context.catalog;
  const known = await tasks.reportsBy(device.id);
  const kept: Progress[] = [];
  for (const report of reports) {
    const task = known.has(report.taskId) ? null : await tasks.byId(report.taskId);
    const targeting = task && (await openTargeting(context, [task.target], [device.id]));
    if (known.has(report.taskId) || targeting?.matches(task!.target, device)) kept.push(report);
  }
  return kept;
}

/** Notes at the lease of the package that the device received its holder. */
async function noteReceptions(
  { catalog, nowMs }: SourceContext,
  { id, share }: DeviceRecord,
  { taskId, receivedFrom }: Progress,
): Promise<void> {
  if (share === null || receivedFrom.length === 0) return;
  const task = await catalog.tasks.byId(taskId);
  if (task === null) return;
  const lease = await catalog.leases.read(task.packageId, share);
  const holderId = lease?.holder?.deviceId;
  const received = receivedFrom.find(({ deviceId }) => deviceId === holderId);
  if (lease === null || holderId === undefined || holderId === id || received === undefined) return;
  const evidence = { presentAgoMs: received.signAgoMs, servedAgoMs: received.bytesAgoMs };
  if (noteService(lease, holderId, evidence, nowMs()) === lease) return;
  await catalog.leases.update(task.packageId, share, (state) => ({
    next: noteService(state ?? lease, holderId, evidence, nowMs()),
    result: null,
  }));
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
      const { inventory, packages, cached, setting, ...stated } = c.req.valid("json");
      const { serving, lanPort, instance, trust } = stated;
      const place = placeOf(inventory, canonicalAddress(c.env.remoteAddress), lanPort);
      const atMs = nowMs();
      const { id } = c.var.device;
      if (instance !== undefined)
        await noteInstance(context, c, { instance, address: place?.address ?? "none" });
      const subnet = await catalog.devices.recordCheckIn(id, {
        inventory,
        packages,
        cached,
        setting,
        place,
        atMs,
      });
      context.changeHub.place(id, subnet?.id ?? null);
      context.events.note("device", id);
      const device = (await catalog.devices.byId(id)) ?? c.var.device;
      if (c.var.device.share !== device.share) await giveUpShare(context, c.var.device);
      context.liveness.noteCheckIn(id);
      await noteAwake(context, id, atMs);
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
        wakes: context.wakeRequests.of(id, atMs),
        announcedUrl: await catalog.address.announced(),
        approval: device.life.state === "removed" ? "active" : device.life.state,
        logRequest: await waitingRequest(context, id),
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
    'two agents use the credential of one device: its ledger.db was copied, or an image was made without "flockcast-peer prepare --for-image"; each gets a new id',
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
      const onLost = (): void => {
        context.events.note("device", id);
        void context.catalog.devices
          .touch([id], context.nowMs())
          .catch((error: unknown) => context.log.error({ err: error }, "cannot record the last contact"));
      };
      context.events.note("device", id);
      return c.body(context.changeHub.open(id, onLost, c.var.device.subnet?.id ?? null), 200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        // Tells a reverse proxy not to buffer events.
        "x-accel-buffering": "no",
      });
    },
  );
}
