/** Routes of tasks for administrators. */
import { Hono } from "hono";
import * as v from "valibot";
import type { PackageRecord, TaskRecord } from "../catalog/index.ts";
import {
  taskChangedSchema,
  taskCreateSchema,
  taskDetailQuerySchema,
  taskDetailSchema,
  taskDeviceListQuerySchema,
  taskDeviceListSchema,
  taskListQuerySchema,
  taskListSchema,
  taskSubnetListSchema,
  type TaskSummary,
} from "../../api/schema/admin.ts";
import { taskPreviewSchema } from "../../api/schema/labels.ts";
import { taskHistorySchema } from "../../api/schema/task-history.ts";
import { pageQuerySchema } from "../../api/schema/page.ts";
import { isWithinScope } from "../../model/target/index.ts";
import { firstStartMs, taskExpiryMs } from "../../model/task-life.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { scopeOf, withTargetInScope } from "../scope.ts";
import { keyIn, readPage } from "../page.ts";
import { taskById } from "./agent-tasks.ts";
import { packageNamed } from "./named-package.ts";
import {
  addTaskChanges,
  announce,
  checkConditions,
  checkSetting,
  checkTimes,
  taskPathSchema,
  type TaskTimes,
} from "./task-changes.ts";
import { checkTarget, targetWarnings } from "./target-check.ts";
import { previewOf } from "./task-preview.ts";
import { taskHistory } from "./task-history.ts";
import { addTaskWakes } from "./wakes.ts";
import { taskDetail, taskDevicePage, taskSubnetPage, taskSummaries } from "./task-view.ts";

export function taskRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog } = context;
  const routes = new Hono<SourceEnv>();
  addCreation(routes, context);
  routes.get(
    "/",
    documented({
      summary: "Tasks with the counts of their devices, by id, a page at a time",
      audience: ["admin"],
      answer: taskListSchema,
    }),
    allow(context),
    queryParameters(taskListQuerySchema),
    async (c) => {
      const query = c.req.valid("query");
      const scope = scopeOf(c);
      const { state, search } = query;
      const filter = {
        isDescending: query.sort === "-id",
        isOpen: state === undefined ? undefined : state === "open",
        search,
      };
      const { rows, next } = await readPage({
        query,
        after: keyIn(query, v.number()),
        read: (after, limit) => catalog.tasks.page({ ...filter, after, limit }),
        keyOf: ({ id }) => id,
        accepts: scope.length === 0 ? null : ({ target }) => isWithinScope(target, scope),
      });
      const tasks = [];
      for (const task of await taskSummaries(context, rows))
        tasks.push({ ...task, isSigned: await isSigned(context, task) });
      return c.json({ tasks, next });
    },
  );
  routes.get(
    "/:id",
    documented({
      summary: "A task with the first of its subnets and devices",
      audience: ["admin"],
      answer: taskDetailSchema,
    }),
    allow(context),
    pathParameters(taskPathSchema),
    queryParameters(taskDetailQuerySchema),
    async (c) => {
      const task = await taskById(catalog, Number(c.req.valid("param").id));
      await context.wan.flush();
      // A device that did the task before it was narrowed may be outside of the scope.
      const detail = await taskDetail(context, task, c.req.valid("query").devices, scopeOf(c));
      return c.json({ ...detail, isSigned: await isSigned(context, detail) });
    },
  );
  addPages(routes, context);
  addHistory(routes, context);
  addTaskWakes(routes, context);
  addTaskChanges(routes, context);
  return routes;
}

const overStates: ReadonlySet<TaskSummary["state"]> = new Set(["done", "ended", "cancelled"]);

/** Returns whether no signature is missing: a task that is over needs none. */
const isSigned = async (
  { orders }: SourceContext,
  { id, state }: Pick<TaskSummary, "id" | "state">,
): Promise<boolean> =>
  overStates.has(state) || (await orders.needed({ kind: "task", subject: String(id) })) === null;

function addPages(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog } = context;
  routes.get(
    "/:id/subnets",
    documented({
      summary: "The subnets of a task, by id, a page at a time",
      audience: ["admin"],
      answer: taskSubnetListSchema,
    }),
    allow(context),
    pathParameters(taskPathSchema),
    queryParameters(pageQuerySchema),
    async (c) => {
      const task = await taskById(catalog, Number(c.req.valid("param").id));
      await context.wan.flush();
      const { rows, next } = await taskSubnetPage(context, task, c.req.valid("query"), scopeOf(c));
      return c.json({ subnets: rows, next });
    },
  );
  routes.get(
    "/:id/devices",
    documented({
      summary: "The devices of a task, filtered, a page at a time",
      audience: ["admin"],
      answer: taskDeviceListSchema,
    }),
    allow(context),
    pathParameters(taskPathSchema),
    queryParameters(taskDeviceListQuerySchema),
    async (c) => {
      const task = await taskById(catalog, Number(c.req.valid("param").id));
      const { rows, next } = await taskDevicePage(context, task, c.req.valid("query"), scopeOf(c));
      return c.json({ devices: rows, next });
    },
  );
}

function addHistory(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.get(
    "/:id/history",
    documented({
      summary: "The course of a task: bytes over the WAN and in the LAN, and complete devices, over time",
      audience: ["admin"],
      answer: taskHistorySchema,
    }),
    allow(context),
    pathParameters(taskPathSchema),
    async (c) => {
      const task = await taskById(context.catalog, Number(c.req.valid("param").id));
      return c.json(await taskHistory(context, task));
    },
  );
}

function addCreation(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log } = context;
  routes.post(
    "/",
    documented({
      summary: "Give devices a package, from a time on",
      audience: ["admin"],
      answer: taskChangedSchema,
    }),
    allow(context),
    limitBody(),
    jsonBody(taskCreateSchema),
    async (c) => {
      const draft = await draftOf(context, withTargetInScope(c, c.req.valid("json")));
      // Bytes of earlier tasks that are not yet in the account would count for this task.
      await context.wan.flush();
      const task = await catalog.tasks.create(draft);
      log.info({ taskId: task.id, packageId: task.packageId, target: task.target }, "task created");
      return c.json(await announce(context, task, await targetWarnings(context, task.target)));
    },
  );
  routes.post(
    "/dry-run",
    documented({
      summary: "Preview of a task: its devices and WAN bytes; creates nothing",
      audience: ["admin"],
      answer: taskPreviewSchema,
    }),
    allow(context),
    limitBody(),
    jsonBody(taskCreateSchema),
    async (c) => {
      const draft = await draftOf(context, withTargetInScope(c, c.req.valid("json")));
      return c.json(await previewOf(context, draft, null));
    },
  );
}

/**
 * Returns the task that a request asks for.
 * @throws ApiError for what the source does not know, or what does not fit together
 */
async function draftOf(context: SourceContext, request: Creation): Promise<Omit<TaskRecord, "id" | "epoch">> {
  const { catalog, nowMs } = context;
  const published = await readyPackage(context, request.package);
  checkAction(request, published);
  const times = timesOf(request, nowMs());
  await checkTarget(context, request.target);
  checkTimes(times, nowMs());
  await checkSetting(context, request.setting);
  if (request.after !== null) await taskById(catalog, request.after);
  return {
    version: 1,
    packageId: published.id,
    packageName: published.name,
    packageVersion: published.version,
    packageBytes: published.sizeBytes,
    action: request.action,
    command: request.command,
    run: request.run,
    allowDowngrade: request.allowDowngrade,
    after: request.after,
    image: request.image,
    kills: false,
    setting: request.setting,
    target: request.target,
    state: "active",
    endedWhy: null,
    endedAtMs: null,
    createdAtMs: nowMs(),
    ...times,
    attempts: 1,
    notWhile: request.notWhile,
    wakes: request.wakes,
    taskKey: context.randomBytes(16),
  };
}

type Creation = v.InferOutput<typeof taskCreateSchema>;

/** Returns the times of a task: from now on, for 90 days, and without a deadline by default. */
function timesOf({ startAtMs, startIsLocal, deadlineAtMs, expiresAtMs }: Creation, nowMs: number): TaskTimes {
  const start = startAtMs === null ? { startAtMs: nowMs, startIsLocal: false } : { startAtMs, startIsLocal };
  return { ...start, deadlineAtMs, expiresAtMs: expiresAtMs ?? firstStartMs(start) + taskExpiryMs };
}

/** @throws ApiError 409 for a package whose bytes are nowhere yet */
async function readyPackage(context: SourceContext, words: string): Promise<PackageRecord> {
  const found = await packageNamed(context, words);
  if (found.state === "ready") return found;
  const what = `Package ${found.name} ${found.version}`;
  throw new ApiError(409, `${what} is not complete at the source`, "publish it again to finish the upload");
}

function checkAction(request: Creation, published: PackageRecord): void {
  const { action, command, run, notWhile, deadlineAtMs } = request;
  checkImage(request, published);
  if (action === "image" && command === null && run === null) return;
  if (action !== "run" && action !== "image") {
    checkConditions(action, notWhile, deadlineAtMs);
    if (command === null && run === null) return;
    const what = action === "upgrade" ? "A task that upgrades the agent" : "A task that pre-caches";
    throw new ApiError(400, `${what} runs no command`, "use --action run, or leave it out");
  }
  if (run !== null && command !== null)
    throw new ApiError(400, "A task runs a named command or a command line, not both", "leave one out");
  if (run === null && (command === null || command.trim() === ""))
    throw new ApiError(400, "A task that runs needs a command", 'add --run NAME or --command "…"');
  const { commands } = published;
  if (run === null || commands.some(({ name }) => name === run)) return;
  const names = commands.map(({ name }) => name).join(", ");
  throw new ApiError(
    422,
    `${published.name} ${published.version} has no command "${run}"`,
    names === "" ? "publish a version with --commands FILE" : `it has: ${names}`,
  );
}

/** @throws ApiError where the action, the disk and the package do not fit together */
function checkImage({ action, image }: Creation, { name, version, fileCount }: PackageRecord): void {
  if (action !== "image") {
    if (image === null) return;
    throw new ApiError(400, `A task with the action ${action} writes no disk`, "use --action image");
  }
  if (image === null)
    throw new ApiError(
      400,
      "A task that writes an image names the disk",
      'state "image", or use task create',
    );
  if (fileCount === 1) return;
  throw new ApiError(
    422,
    `${name} ${version} has ${fileCount} files: an image is one file, as large as the used part of a disk`,
    "publish the image as a package of its own",
  );
}
