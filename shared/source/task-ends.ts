/**
 * Ends tasks: at their expiry, and when every targeted device is complete or runs a higher version
 * instead. A device that enrols later does not get them.
 *
 * Reports only note their task, because the count needs all devices of the task.
 */
import type { EndReason } from "../model/task-life.ts";
import type { TaskRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { targetedDevices } from "./routes/agent-tasks.ts";
import { stateOnDevice, taskDevicesReader } from "./routes/task-view.ts";
import { higherTasks } from "./supersession.ts";

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
    if (task.expiresAtMs <= nowMs()) await end(context, task, "expired");
    else if (ids.has(task.id)) {
      const why = await whyComplete(context, task);
      if (why !== null) await end(context, task, why);
      if (why === "complete") noted.addSuperseded(task, open);
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

/** Returns why a task is complete; null: a device is still to complete it, or none is targeted. */
async function whyComplete(context: EndContext, task: TaskRecord): Promise<EndReason | null> {
  const { catalog } = context;
  const concerned = [task, ...higherTasks(task, await catalog.tasks.list())];
  const { devices, reports, higher } = await (await taskDevicesReader(context, concerned))(task);
  if (devices.length === 0) return null;
  const states = new Set(
    devices.map(
      (device) => stateOnDevice(task, device, reports.get(device.id), higher, context.nowMs()).state,
    ),
  );
  if (states.size === 1 && states.has("complete")) return "complete";
  states.delete("complete");
  return states.size === 1 && states.has("superseded") ? "superseded" : null;
}

async function end(context: EndContext, task: TaskRecord, why: EndReason): Promise<void> {
  const { catalog, changeHub, log, nowMs } = context;
  const ended = await catalog.tasks.change(task.id, ({ state, version }) =>
    (state === "active" || state === "paused") && version === task.version
      ? { state: "ended", endedWhy: why, endedAtMs: nowMs() }
      : null,
  );
  if (ended?.state !== "ended") return;
  log.info({ taskId: task.id, why }, "task ended");
  if (why === "expired") changeHub.notify((await targetedDevices(context, task)).map((device) => device.id));
}
