/**
 * Routes by which administrators change a task: edit, start now, pause, resume, cancel, retry and
 * remove. Each one wakes the devices that the task targeted before or targets now.
 */
import { Hono } from "hono";
import * as v from "valibot";
import type { DeviceKey, DeviceRecord, TaskChange, TaskRecord } from "../catalog/index.ts";
import {
  doneSchema,
  startDelayMaxMs,
  taskChangedSchema,
  taskEditSchema,
  taskRetriedSchema,
  type TaskChanged,
} from "../../api/schema/admin.ts";
import { taskPreviewSchema } from "../../api/schema/labels.ts";
import type { Scope } from "../../model/role.ts";
import { firstStartMs, lastStartMs, shownState } from "../../model/task-life.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { keyOfDevice } from "../matching-devices.ts";
import { requireInScope, scopeOf, withTargetInScope } from "../scope.ts";
import { taskFilter } from "../task-devices.ts";
import { taskById } from "./agent-tasks.ts";
import { settingNamed } from "./named-setting.ts";
import { checkTarget, targetWarnings } from "./target-check.ts";
import { previewOf } from "./task-preview.ts";
import { wake } from "../waking.ts";

export const taskPathSchema = v.object({
  id: v.pipe(v.string(), v.regex(/^[1-9]\d{0,14}$/, "a task id is a whole number")),
});

export function addTaskChanges(routes: Hono<SourceEnv>, context: SourceContext): void {
  addEdit(routes, context);
  for (const [verb, [summary, decide]] of Object.entries(changes))
    addChange(routes, context, { verb, summary, decide });
  addRetry(routes, context);
  addRemoval(routes, context);
}

/** Changes a task, or throws an ApiError 409 that names its state. */
type Decide = (task: TaskRecord, nowMs: number) => TaskChange | null;

const refused = (task: TaskRecord, hint: string): ApiError => {
  const state = task.endedWhy === null ? task.state : `ended: ${task.endedWhy}`;
  return new ApiError(409, `Task ${task.id} is ${state}`, hint);
};
const isOpen = ({ state }: TaskRecord): boolean => state === "active" || state === "paused";
const onlyOpen =
  (decide: Decide): Decide =>
  (task, nowMs) => {
    if (!isOpen(task))
      throw refused(task, "task edit opens an ended one again, task create --from repeats it");
    return decide(task, nowMs);
  };

const changes: Record<string, [summary: string, decide: Decide]> = {
  pause: [
    "Pause a task: no download, multicast or command begins",
    onlyOpen(({ state }) => (state === "paused" ? null : { state: "paused" })),
  ],
  resume: [
    "Resume a paused task",
    onlyOpen(({ state }) => (state === "active" ? null : { state: "active" })),
  ],
  "start-now": [
    "Start a scheduled task at once",
    onlyOpen((task, nowMs) =>
      lastStartMs(task) <= nowMs
        ? null
        : { startAtMs: nowMs, startIsLocal: false, version: task.version + 1 },
    ),
  ],
  cancel: [
    "Cancel a task; its devices drop it, and a running command continues",
    (task, nowMs) => (isOpen(task) ? { state: "cancelled", endedAtMs: nowMs } : null),
  ],
  kill: [
    "Cancel a task, and end its running commands",
    (task, nowMs) => {
      if (isOpen(task)) return { state: "cancelled", endedAtMs: nowMs, kills: true };
      return task.state === "cancelled" ? { kills: true } : null;
    },
  ],
};

function addChange(
  routes: Hono<SourceEnv>,
  context: SourceContext,
  { verb, summary, decide }: { verb: string; summary: string; decide: Decide },
): void {
  routes.post(
    `/:id/${verb}`,
    documented({ summary, audience: ["admin"], answer: taskChangedSchema }),
    allow(context),
    pathParameters(taskPathSchema),
    async (c) => {
      const { catalog, log, nowMs } = context;
      const { id } = await taskById(catalog, Number(c.req.valid("param").id));
      const task = (await catalog.tasks.change(id, (before) => {
        requireInScope(c, before);
        return decide(before, nowMs());
      }))!;
      log.info({ taskId: id, state: task.state, atMs: nowMs() }, `task ${verb}`);
      return c.json(await announce(context, task));
    },
  );
}

function addEdit(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log } = context;
  routes.patch(
    "/:id",
    documented({
      summary: "Change target, times, conditions or setting of a task; one that ended is open again",
      audience: ["admin"],
      answer: taskChangedSchema,
    }),
    allow(context),
    limitBody(16_384),
    pathParameters(taskPathSchema),
    jsonBody(taskEditSchema),
    async (c) => {
      const before = await taskById(catalog, Number(c.req.valid("param").id));
      const request = withTargetInScope(c, c.req.valid("json"));
      const changeOf = await editOf(context, before, request);
      const task = (await catalog.tasks.change(before.id, (current) => {
        requireInScope(c, current);
        return changeOf(current);
      }))!;
      log.info({ taskId: task.id, version: task.version, ...request }, "task edited");
      const warnings = request.target === undefined ? [] : await targetWarnings(context, task.target);
      const after = await announce(context, task, warnings);
      await wake(context, before);
      return c.json(after);
    },
  );
  routes.post(
    "/:id/dry-run",
    documented({
      summary: "Preview of an edited task: its devices and WAN bytes; changes nothing",
      audience: ["admin"],
      answer: taskPreviewSchema,
    }),
    allow(context),
    limitBody(16_384),
    pathParameters(taskPathSchema),
    jsonBody(taskEditSchema),
    async (c) => {
      const before = await taskById(catalog, Number(c.req.valid("param").id));
      requireInScope(c, before);
      const changeOf = await editOf(context, before, withTargetInScope(c, c.req.valid("json")));
      return c.json(await previewOf(context, { ...before, ...changeOf(before) }, before));
    },
  );
}

/**
 * Checks an edit, and returns the function that applies it to the current task.
 * @throws ApiError for what the source does not know; so does the function, for a cancelled task
 */
async function editOf(
  context: SourceContext,
  before: TaskRecord,
  { startIsLocal = false, ...edit }: v.InferOutput<typeof taskEditSchema>,
): Promise<(current: TaskRecord) => TaskChange> {
  const { catalog, nowMs } = context;
  const given: TaskChange = {
    ...Object.fromEntries(Object.entries(edit).filter(([, value]) => value !== undefined)),
    ...(edit.startAtMs === undefined ? {} : { startIsLocal }),
  };
  if (edit.target !== undefined) await checkTarget(context, edit.target);
  await checkSetting(context, edit.setting === undefined ? before.setting : edit.setting);
  if (!isOpen(before) && (await catalog.packages.byId(before.packageId)) === null)
    throw refused(before, "its package was removed: publish it, and create a task");
  return (current) => {
    if (current.state === "cancelled") throw refused(current, "task create --from makes a new task of it");
    const changed = { ...current, ...given };
    checkTimes(changed, nowMs());
    checkConditions(changed.action, edit.notWhile ?? [], edit.deadlineAtMs ?? null);
    const opened = isOpen(current) ? {} : { state: "active" as const, endedWhy: null, endedAtMs: null };
    return { ...given, ...opened, version: current.version + 1 };
  };
}

function addRetry(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.post(
    "/:id/retry",
    documented({
      summary: "Repeat a task on the devices that failed",
      audience: ["admin"],
      answer: taskRetriedSchema,
    }),
    allow(context),
    pathParameters(taskPathSchema),
    async (c) => {
      const { catalog, changeHub, log } = context;
      const task = await taskById(catalog, Number(c.req.valid("param").id));
      if (!isOpen(task)) throw refused(task, "task edit --expires opens an expired one again");
      const retried = await retryInParts(context, task, scopeOf(c));
      const isSigned = await context.orders.sign({ kind: "task", subject: String(task.id) });
      await catalog.leases.forgetFailures(task.packageId);
      changeHub.notify(retried);
      log.info({ taskId: task.id, devices: retried.length }, "task repeated on failed devices");
      return c.json({ taskId: task.id, retried, isSigned });
    },
  );
}

/** Devices that one transaction lets repeat a task. */
const retriedRows = 100;

/** Repeats a task on the failed devices of a scope, in turns with requests. @returns their ids */
async function retryInParts(context: SourceContext, task: TaskRecord, scope: Scope): Promise<string[]> {
  const { deviceList, tasks } = context.catalog;
  const filter = { ...taskFilter(context, { ...task, target: "all" }, scope), reported: "failed" } as const;
  const retried: string[] = [];
  for (let after: DeviceKey | null = null; ;) {
    const order = { order: "enrolledAtMs", isDescending: false, after, limit: retriedRows } as const;
    const failed: DeviceRecord[] = await deviceList.page({ ...filter, ...order });
    const ids = failed.map(({ id }) => id);
    if (ids.length > 0) retried.push(...(await tasks.retry(task.id, context.nowMs(), ids)));
    if (failed.length < retriedRows) return retried;
    after = keyOfDevice("enrolledAtMs", failed.at(-1)!);
    await Bun.sleep(0);
  }
}

function addRemoval(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.delete(
    "/:id",
    documented({
      summary: "Remove an ended or cancelled task with its reports",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    pathParameters(taskPathSchema),
    async (c) => {
      const { catalog, log } = context;
      const task = await taskById(catalog, Number(c.req.valid("param").id));
      if (isOpen(task)) throw refused(task, "cancel it first");
      while (!(await catalog.tasks.removePart(task.id))) await Bun.sleep(0);
      const left = await catalog.tasks.byId(task.id);
      if (left !== null) throw refused(left, "somebody has opened it again: cancel it first");
      log.info({ taskId: task.id }, "task removed");
      return c.json({ ok: true } as const);
    },
  );
}

/** Wakes the devices of a new or changed task, and returns what the administrator is told. */
export async function announce(
  context: SourceContext,
  task: TaskRecord,
  warnings: string[] = [],
): Promise<TaskChanged> {
  const { catalog, noted, nowMs } = context;
  const isSigned = await context.orders.sign({ kind: "task", subject: String(task.id) });
  await catalog.leases.forgetFailures(task.packageId);
  noted.add(task.id);
  noted.addSuperseded(task, await catalog.tasks.open());
  const devices = await wake(context, task);
  const { id: taskId, version } = task;
  return { taskId, version, state: shownState(task, nowMs()), devices, isSigned, warnings };
}

export type TaskTimes = Pick<TaskRecord, "startAtMs" | "startIsLocal" | "deadlineAtMs" | "expiresAtMs">;

/** Checks times by the first time zone that reaches the start. */
export function checkTimes(
  { startAtMs, startIsLocal, deadlineAtMs, expiresAtMs }: TaskTimes,
  nowMs: number,
): void {
  const startMs = firstStartMs({ startAtMs, startIsLocal });
  const hint = "it is in milliseconds since 1970";
  if (startMs - nowMs > startDelayMaxMs)
    throw new ApiError(422, `The start ${startAtMs} is more than ten years from now`, hint);
  if (expiresAtMs - startMs > startDelayMaxMs)
    throw new ApiError(422, `The expiry ${expiresAtMs} is more than ten years after the start`, hint);
  if (expiresAtMs <= startMs || expiresAtMs <= nowMs)
    throw new ApiError(422, "The task would expire before a device begins it", "give a later --expires");
  if (deadlineAtMs === null) return;
  if (deadlineAtMs <= startMs)
    throw new ApiError(422, "The deadline is not after the start", "give a later --deadline, or none");
  if (deadlineAtMs > expiresAtMs)
    throw new ApiError(422, "The task would expire before its deadline", "give a later --expires");
}

/** Refuses conditions of a command for a task that runs none. */
export function checkConditions(
  action: TaskRecord["action"],
  notWhile: readonly string[],
  deadlineAtMs: number | null,
): void {
  if (action === "run" || (notWhile.length === 0 && deadlineAtMs === null)) return;
  const what = notWhile.length > 0 ? "--not-while" : "--deadline";
  throw new ApiError(400, `A task that pre-caches runs no command`, `leave ${what} out`);
}

/** @param setting null: each device's own one */
export async function checkSetting({ catalog }: SourceContext, setting: string | null): Promise<void> {
  if (setting !== null) settingNamed(await catalog.settings.tree(), setting);
}
