/**
 * Routes of the end of a device's log: an administrator asks for it, the device learns of the
 * request at its next check-in and sends the lines, and the source keeps them for an hour.
 */
import type { Hono } from "hono";
import { doneSchema } from "../../api/schema/admin.ts";
import { deviceLogSchema, logAnswerSchema, type DeviceLog } from "../../api/schema/device-detail.ts";
import { deviceWordsSchema } from "../../api/schema/device.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { logMs, removeOldLogs } from "../device-log-life.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { deviceInScope } from "../scope.ts";

/** Body of an answer: 64 KiB of lines, whose characters may be escapes of JSON. */
const answerBytesMax = 524_288;
const requestBytes = 8;

/** Returns the request that a device has not answered yet; null: there is none. */
export async function waitingRequest(context: SourceContext, deviceId: string): Promise<string | null> {
  const found = await context.catalog.logs.read(deviceId);
  if (found?.state !== "waiting") return null;
  await removeOldLogs(context);
  return (await context.catalog.logs.read(deviceId))?.request ?? null;
}

/** Adds the route by which a device answers. */
export function addLogAnswers(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, events, nowMs } = context;
  routes.post(
    "/log",
    documented({
      summary: "Send the end of the own log, because a check-in asked for it",
      audience: ["device"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(answerBytesMax),
    jsonBody(logAnswerSchema),
    async (c) => {
      const { id } = c.var.device;
      const { request, refused: isRefused, lines } = c.req.valid("json");
      const answer = { request, isRefused, lines: isRefused ? [] : lines, atMs: nowMs() };
      // Nothing is stored that nobody asked for.
      if (!(await catalog.logs.answer(id, answer)))
        throw new ApiError(409, "Nobody waits for this log", "check in again");
      events.note("device", id);
      return c.json({ ok: true } as const);
    },
  );
}

/** Adds the routes by which administrators ask for a log, and read it. */
export function addDeviceLog(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, changeHub, log, nowMs, randomBytes } = context;
  routes.post(
    "/:device/log",
    documented({
      summary: "Ask a device for the end of its log, which replaces the one that the source has",
      audience: ["admin"],
      answer: deviceLogSchema,
    }),
    allow(context),
    pathParameters(deviceWordsSchema),
    async (c) => {
      const { id } = await deviceInScope(context, c, c.req.valid("param").device, "kept");
      await catalog.logs.ask(id, Buffer.from(randomBytes(requestBytes)).toString("hex"), nowMs());
      log.info({ device: id }, "the log of a device was asked for");
      changeHub.notify([id]);
      return c.json(await logOf(context, id));
    },
  );
  routes.get(
    "/:device/log",
    documented({
      summary: "The end of a device's log, for an hour after it arrived",
      audience: ["admin"],
      answer: deviceLogSchema,
    }),
    allow(context),
    pathParameters(deviceWordsSchema),
    async (c) => {
      const { id } = await deviceInScope(context, c, c.req.valid("param").device);
      return c.json(await logOf(context, id));
    },
  );
}

async function logOf(context: SourceContext, deviceId: string): Promise<DeviceLog> {
  await removeOldLogs(context);
  const found = await context.catalog.logs.read(deviceId);
  if (found === null)
    return { state: "none", askedAtMs: null, takenAtMs: null, removedAtMs: null, lines: [] };
  const { state, askedAtMs, answeredAtMs, lines } = found;
  const removedAtMs = answeredAtMs === null ? null : answeredAtMs + logMs;
  return { state, askedAtMs, takenAtMs: answeredAtMs, removedAtMs, lines: [...lines] };
}
