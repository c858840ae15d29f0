/**
 * Ends tasks: at their expiry, and when every device that counts is complete or runs a higher
 * version instead. A device that enrols later does not get them. A task that wakes devices stays
 * open for the attempts.
 *
 * Reports only note their task, because the end needs all devices of the task. They are read in
 * parts, up to the first device that is not done.
 */
import type { EndReason } from "../model/task-life.ts";
import type { TaskRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import type { DeviceTaskState } from "../api/schema/common.ts";
import { repeatWork } from "./repeated-work.ts";
import { stateOnDevice } from "./task-state.ts";
import { taskDeviceParts } from "./task-devices.ts";
import { isBeingWoken } from "./wake-plan.ts";
import { wake } from "./waking.ts";

type EndContext = Pick<SourceContext, "catalog" | "changeHub" | "noted" | "acceptsWishes" | "log" | "nowMs">;

const sweepEveryMs = 1_000;
/** A sweep takes at most this share of the time. */
const sweepShare = 0.02;
/** Interval after which all open tasks count as noted: a start time supersedes tasks too. */
const allEveryMs = 600_000;

/** Ends the tasks that have expired, and those noted ones that are complete. */
export async function endTasks(context: EndContext): Promise<void> {
  const { catalog, noted, nowMs } = context;
  const open = await catalog.tasks.open();
  const ids = noted.take();
  for (const task of open) {
    if (task.expiresAtMs <= nowMs()) await end(context, task, { why: "expired", absent: [] });
    else if (ids.has(task.id)) {
      const completion = await completionOf(context, task);
      if (completion !== null) await end(context, task, completion);
      if (completion?.why === "complete") noted.addSuperseded(task, open);
    }
  }
}

/** Ends every task that has expired or is complete, also those that nothing noted. */
export async function endAllTasks(context: EndContext): Promise<void> {
  for (const { id } of await context.catalog.tasks.open()) context.noted.add(id);
  await endTasks(context);
}

/** Ends tasks from now on. Returns the function that stops this. */
export function startTaskEnds(context: EndContext): () => void {
  let allAtMs = 0;
  return repeatWork({
    run: async () => {
      const nowMs = performance.now();
      if (nowMs < allAtMs) return endTasks(context);
      allAtMs = nowMs + allEveryMs;
      return endAllTasks(context);
    },
    onError: (error) => context.log.error({ err: error }, "cannot end tasks"),
    everyMs: sweepEveryMs,
    share: sweepShare,
  });
}

type Completion = { readonly why: EndReason; readonly absent: readonly string[] };

/**
 * Returns why a task is complete, and the devices that were not seen since its creation; null: a
 * device is still to complete it, or none is targeted.
 */
async function completionOf(context: EndContext, task: TaskRecord): Promise<Completion | null> {
  const states = new Set<DeviceTaskState>();
  const absent: string[] = [];
  for await (const part of taskDeviceParts(context, task)) {
    for (const device of part.counted) {
      const { state } = stateOnDevice(
        task,
        device,
        part.reports.get(device.id),
        part.higher,
        context.nowMs(),
      );
      // Most tasks are not complete: their first such device ends the search.
      if (state !== "complete" && state !== "superseded") return null;
      states.add(state);
    }
    for (const { id } of part.absent) absent.push(id);
  }
  if (await isWakingOneOf(context, task, absent)) return null;
  if (states.has("superseded")) return { why: "superseded", absent: [] };
  return states.has("complete") ? { why: "complete", absent } : null;
}

/** Whether the task has yet to wake one of its absent devices. */
async function isWakingOneOf(
  { catalog, nowMs }: EndContext,
  task: TaskRecord,
  absent: readonly string[],
): Promise<boolean> {
  if (!task.wakes || absent.length === 0) return false;
  const known = await catalog.wakes.ofTask(task.id);
  return absent.some((id) => isBeingWoken(task, known.get(id), nowMs()));
}

/** Devices that one transaction notes as absent. */
const absentRows = 1_000;

async function end(context: EndContext, task: TaskRecord, { why, absent }: Completion): Promise<void> {
  const { catalog, log, nowMs } = context;
  // Recorded first: a device that comes back meanwhile opens the task again.
  for (let from = 0; from < absent.length; from += absentRows) {
    await catalog.life.noteAbsent(task.id, absent.slice(from, from + absentRows));
    await Bun.sleep(0);
  }
  const ended = await catalog.tasks.change(task.id, ({ state, version }) =>
    (state === "active" || state === "paused") && version === task.version
      ? { state: "ended", endedWhy: why, endedAtMs: nowMs() }
      : null,
  );
  if (ended?.state !== "ended") return;
  log.info({ taskId: task.id, why, absent: absent.length }, "task ended");
  if (why === "expired") await wake(context, task);
}
