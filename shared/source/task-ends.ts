/**
 * Ends tasks: at their expiry, and when every device that counts is complete or runs a higher
 * version instead. A device that enrols later does not get them.
 *
 * Reports only note their task, because the count needs all devices of the task.
 */
import type { EndReason } from "../model/task-life.ts";
import type { TaskRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { targetedDevices } from "./routes/agent-tasks.ts";
import { stateOnDevice } from "./task-state.ts";
import { higherTasks } from "./supersession.ts";
import { taskDevicesReader } from "./task-devices.ts";

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
  let timer: ReturnType<typeof setTimeout> | null = null;
  let allAtMs = 0;
  const run = async (): Promise<void> => {
    const beganMs = performance.now();
    try {
      if (beganMs >= allAtMs) {
        allAtMs = beganMs + allEveryMs;
        await endAllTasks(context);
      } else await endTasks(context);
    } catch (error) {
      context.log.error({ err: error }, "cannot end tasks");
    }
    const tookMs = performance.now() - beganMs;
    if (timer !== null) timer = setTimeout(run, Math.max(sweepEveryMs, tookMs / sweepShare)).unref();
  };
  timer = setTimeout(run, sweepEveryMs).unref();
  return () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
}

type Completion = { readonly why: EndReason; readonly absent: readonly string[] };

/**
 * Returns why a task is complete, and the devices that were not seen since its creation; null: a
 * device is still to complete it, or none is targeted.
 */
async function completionOf(context: EndContext, task: TaskRecord): Promise<Completion | null> {
  const { catalog, nowMs } = context;
  const concerned = [task, ...higherTasks(task, await catalog.tasks.list())];
  const devices = await (await taskDevicesReader(context, concerned))(task);
  if (devices.counted.length === 0) return null;
  const { reports, higher } = devices;
  const states = new Set(
    devices.counted.map(
      (device) => stateOnDevice(task, device, reports.get(device.id), higher, nowMs()).state,
    ),
  );
  const absent = devices.absent.map(({ id }) => id);
  if (states.size === 1 && states.has("complete")) return { why: "complete", absent };
  states.delete("complete");
  return states.size === 1 && states.has("superseded") ? { why: "superseded", absent: [] } : null;
}

async function end(context: EndContext, task: TaskRecord, { why, absent }: Completion): Promise<void> {
  const { catalog, changeHub, log, nowMs } = context;
  // Recorded first: a device that comes back meanwhile opens the task again.
  await catalog.life.noteAbsent(task.id, absent);
  const ended = await catalog.tasks.change(task.id, ({ state, version }) =>
    (state === "active" || state === "paused") && version === task.version
      ? { state: "ended", endedWhy: why, endedAtMs: nowMs() }
      : null,
  );
  if (ended?.state !== "ended") return;
  log.info({ taskId: task.id, why, absent: absent.length }, "task ended");
  if (why === "expired") changeHub.notify((await targetedDevices(context, task)).map((device) => device.id));
}
