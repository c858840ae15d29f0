/** Routes of Wake-on-LAN: the answer of a device that was asked, and the wakes of a task. */
import type { Hono } from "hono";
import * as v from "valibot";
import { doneSchema } from "../../api/schema/admin.ts";
import { wakeResultSchema } from "../../api/schema/agent.ts";
import { pageQuerySchema } from "../../api/schema/page.ts";
import { taskWakeListSchema, type TaskWake } from "../../api/schema/wakes.ts";
import { allow } from "../auth.ts";
import type { DeviceRecord, WakeRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { isInScope } from "../device-scope.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { keyIn, readPage } from "../page.ts";
import { scopeOf } from "../scope.ts";
import { hostNames, wakeReason } from "../wake-reason.ts";
import { taskById } from "./agent-tasks.ts";
import { taskPathSchema } from "./task-changes.ts";

/** Adds the route by which a device answers. */
export function addWakeResults(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, events, log, nowMs, wakeRequests } = context;
  routes.post(
    "/wake-result",
    documented({
      summary: "Tell which machines of a request were woken",
      audience: ["device"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(8_192),
    jsonBody(wakeResultSchema),
    async (c) => {
      const { id, sent, refused } = c.req.valid("json");
      const by = c.var.device.id;
      const woken = wakeRequests.answered(id, by, sent, nowMs());
      if (woken === null) return c.json({ ok: true } as const);
      const { taskId, deviceIds } = woken;
      log.info({ taskId, by, deviceIds, refused }, "wake-up packets sent");
      await catalog.wakes.noteSent(taskId, { deviceIds, by, atMs: nowMs() });
      events.note("task", String(taskId));
      return c.json({ ok: true } as const);
    },
  );
}

/** Notes that a device is awake, if tasks wait for it. */
export async function noteAwake(
  { catalog, events }: Pick<SourceContext, "catalog" | "events">,
  deviceId: string,
  atMs: number,
): Promise<void> {
  for (const taskId of await catalog.wakes.noteWoke(deviceId, atMs)) events.note("task", String(taskId));
}

/** Adds the list of a task's wakes. */
export function addTaskWakes(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, nowMs } = context;
  routes.get(
    "/:id/wakes",
    documented({
      summary: "Devices of a task that were to be woken: by whom, and whether they woke, a page at a time",
      audience: ["admin"],
      answer: taskWakeListSchema,
    }),
    allow(context),
    pathParameters(taskPathSchema),
    queryParameters(pageQuerySchema),
    async (c) => {
      const task = await taskById(catalog, Number(c.req.valid("param").id));
      const query = c.req.valid("query");
      const scope = scopeOf(c);
      type Row = { readonly wake: WakeRecord; readonly device: DeviceRecord | null };
      const { rows, next } = await readPage({
        query,
        after: keyIn(query, v.string()),
        read: async (after, limit): Promise<Row[]> =>
          Promise.all(
            (await catalog.wakes.page(task.id, after, limit)).map(async (wake) => ({
              wake,
              device: await catalog.devices.byId(wake.deviceId),
            })),
          ),
        keyOf: ({ wake }) => wake.deviceId,
        // Removed devices are left out.
        accepts: ({ device }) => device !== null && isInScope(scope, device),
      });
      const nameOf = await hostNames(
        context,
        rows.flatMap(({ wake }) => wake.wakers),
      );
      const wakes = rows.map(({ wake, device }) => wakeRow(wake, device!, nameOf, nowMs()));
      return c.json({ wakes, next });
    },
  );
}

function wakeRow(
  wake: WakeRecord,
  device: DeviceRecord,
  nameOf: (id: string) => string,
  nowMs: number,
): TaskWake {
  return {
    deviceId: device.id,
    hostname: device.hostname,
    name: device.name,
    subnetId: device.subnet?.id ?? null,
    attempts: wake.attempts,
    askedAtMs: wake.askedAtMs,
    wakers: wake.wakers.map((id) => ({
      deviceId: id,
      hostname: nameOf(id),
      sent: wake.sentBy.includes(id),
    })),
    sentAtMs: wake.sentAtMs,
    wokeAtMs: wake.wokeAtMs,
    reasons: [wakeReason(wake, nameOf, nowMs)],
  };
}
