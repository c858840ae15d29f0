/** Routes of tasks for administrators. */
import { Hono } from "hono";
import ipaddr from "ipaddr.js";
import * as v from "valibot";
import type { PackageRecord } from "../catalog/index.ts";
import {
  doneSchema,
  startDelayMaxMs,
  taskCreateSchema,
  taskCreatedSchema,
  taskDetailQuerySchema,
  taskDetailSchema,
  taskListSchema,
  type TaskCreate,
} from "../../api/schema/admin.ts";
import { targetedDevices, taskById } from "./agent-tasks.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { packageNamed } from "./named-package.ts";
import { taskDetail, taskSummaries } from "./task-view.ts";

const taskPathSchema = v.object({
  id: v.pipe(v.string(), v.regex(/^[1-9]\d{0,14}$/, "a task id is a whole number")),
});

export function taskRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog, log, nowMs } = context;
  const routes = new Hono<SourceEnv>();
  addCreation(routes, context);
  routes.get(
    "/",
    documented({ summary: "All tasks", audience: ["admin"], answer: taskListSchema }),
    allow(context, "admin"),
    async (c) => c.json({ tasks: await taskSummaries(catalog) }),
  );
  routes.get(
    "/:id",
    documented({
      summary: "A task with its subnets and devices",
      audience: ["admin"],
      answer: taskDetailSchema,
    }),
    allow(context, "admin"),
    pathParameters(taskPathSchema),
    queryParameters(taskDetailQuerySchema),
    async (c) => {
      const task = await taskById(catalog, Number(c.req.valid("param").id));
      await context.wan.flush();
      return c.json(await taskDetail(catalog, task, c.req.valid("query").devices));
    },
  );
  routes.post(
    "/:id/cancel",
    documented({ summary: "Cancel a task; its devices drop it", audience: ["admin"], answer: doneSchema }),
    allow(context, "admin"),
    pathParameters(taskPathSchema),
    async (c) => {
      const task = await taskById(catalog, Number(c.req.valid("param").id));
      await catalog.tasks.cancel(task.id, nowMs());
      const devices = targetedDevices(task, await catalog.devices.list()).map((device) => device.id);
      // Representatives come first: the cancellation stops download and multicast at once.
      const leases = [...(await catalog.leases.ofPackage(task.packageId)).values()];
      const leading = new Set(leases.map(({ holder }) => holder?.deviceId));
      context.changeHub.notify(devices.filter((id) => leading.has(id)));
      context.changeHub.notify(devices.filter((id) => !leading.has(id)));
      log.info({ taskId: task.id, atMs: nowMs() }, "task cancelled");
      return c.json({ ok: true } as const);
    },
  );
  return routes;
}

function addCreation(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log, nowMs } = context;
  routes.post(
    "/",
    documented({
      summary: "Give devices a package, from a time on",
      audience: ["admin"],
      answer: taskCreatedSchema,
    }),
    allow(context, "admin"),
    limitBody(),
    jsonBody(taskCreateSchema),
    async (c) => {
      const request = c.req.valid("json");
      const published = await readyPackage(context, request.package);
      checkAction(request, published);
      await checkTarget(context, request.target);
      if (request.startAtMs !== null && request.startAtMs - nowMs() > startDelayMaxMs)
        throw new ApiError(
          422,
          `The start ${request.startAtMs} is more than ten years from now`,
          "it is in milliseconds since 1970",
        );
      const settingName = request.setting ?? "default";
      if ((await catalog.settings.byName(settingName)) === null) {
        const known = (await catalog.settings.list()).map((one) => one.name).join(", ");
        throw new ApiError(404, `No setting named "${settingName}"`, `there are: ${known}`);
      }
      // Bytes of earlier tasks that are not yet in the account would count for this task.
      await context.wan.flush();
      const task = await catalog.tasks.create({
        packageId: published.id,
        action: request.action,
        command: request.command,
        run: request.run,
        settingName,
        target: request.target,
        state: "active",
        createdAtMs: nowMs(),
        startAtMs: request.startAtMs ?? nowMs(),
        taskKey: context.randomBytes(16),
      });
      await catalog.leases.forgetFailures(published.id);
      const devices = targetedDevices(task, await catalog.devices.list());
      context.changeHub.notify(devices.map((device) => device.id));
      log.info({ taskId: task.id, packageId: task.packageId, target: task.target }, "task created");
      return c.json({ taskId: task.id });
    },
  );
}

/** @throws ApiError 409 for a package whose bytes are nowhere yet */
async function readyPackage(context: SourceContext, words: string): Promise<PackageRecord> {
  const found = await packageNamed(context, words);
  if (found.state === "ready") return found;
  const what = `Package ${found.name} ${found.version}`;
  throw new ApiError(409, `${what} is not complete at the source`, "publish it again to finish the upload");
}

function checkAction({ action, command, run }: TaskCreate, { commands, ...published }: PackageRecord): void {
  if (action === "pre-cache") {
    if (command === null && run === null) return;
    throw new ApiError(400, "A task that pre-caches runs no command", "use --action run, or leave it out");
  }
  if (run !== null && command !== null)
    throw new ApiError(400, "A task runs a named command or a command line, not both", "leave one out");
  if (run === null && (command === null || command.trim() === ""))
    throw new ApiError(400, "A task that runs needs a command", 'add --run NAME or --command "…"');
  if (run === null || commands.some(({ name }) => name === run)) return;
  const names = commands.map(({ name }) => name).join(", ");
  throw new ApiError(
    422,
    `${published.name} ${published.version} has no command "${run}"`,
    names === "" ? "publish a version with --commands FILE" : `it has: ${names}`,
  );
}

async function checkTarget({ catalog }: SourceContext, target: string): Promise<void> {
  const [kind, ...rest] = target.split(":");
  const value = rest.join(":");
  if (kind === "subnet" && !ipaddr.isValidCIDR(value)) {
    throw new ApiError(400, `"${value}" is not a subnet`, "write for example subnet:10.1.2.0/24");
  }
  if (kind === "device" && (await catalog.devices.byId(value)) === null) {
    throw new ApiError(404, `No device ${value}`, "device list shows all");
  }
}
