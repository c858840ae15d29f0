/**
 * Whether a task may begin now, or run its command: an administrator may have paused it, and it may
 * have expired. Pure.
 */
import type { AgentTask } from "../api/schema/agent.ts";
import { reason, type Reason } from "../model/reason.ts";
import type { TaskRow } from "./task-record.ts";
import type { TaskStage } from "./task-stage.ts";

type Hold = { readonly kind: "paused" | "expired"; readonly reason: Reason };

/**
 * Returns null if the task may begin.
 * @param nowMs the later one of the device's time and of the time by which tasks start
 */
export function holdOf({ paused, expiresAtMs }: AgentTask, nowMs: number): Hold | null {
  if (expiresAtMs !== null && nowMs >= expiresAtMs) return { kind: "expired", reason: reason("expired") };
  return paused ? { kind: "paused", reason: reason("paused") } : null;
}

/** Whether a change of the task at the source ends its wait. */
export const endsWait = (stage: TaskStage, before: AgentTask, after: AgentTask): boolean =>
  stage.kind === "waiting" &&
  (stage.cause === "paused" || (stage.cause === "start-time" && changesStart(before, after)));

const changesStart = (before: AgentTask, after: AgentTask): boolean =>
  after.startAtMs !== before.startAtMs ||
  after.startIsLocal !== before.startIsLocal ||
  after.setting.values.startJitterMs !== before.setting.values.startJitterMs;

/** Whether the package is complete: only the command, or nothing, is left to do. */
export const isPackageDone = ({ kind }: TaskStage): boolean =>
  kind === "verifying" || kind === "ready" || kind === "running" || kind === "ended";

/** Takes the number of an attempt that a complete task needs not begin, for its report. */
export function acknowledge(row: TaskRow, { attempt }: AgentTask): void {
  if ((row.life === "complete" || row.life === "reboot-pending") && attempt > row.task.attempt)
    row.task = { ...row.task, attempt };
}

/** Whether a task that ended begins again: it is repeated, or listed again and has not run here. */
export function isRetried({ life, command, task }: TaskRow, { attempt }: AgentTask): boolean {
  if (life === "open" || life === "running" || life === "reboot-pending" || life === "complete") return false;
  return attempt > task.attempt || (life === "cancelled" && command === null);
}

type TaskName = Pick<AgentTask, "epoch" | "createdAtMs">;

/** Whether the source gave the id of a task to another one: it was restored from a backup. */
export const isOtherTask = (known: TaskName, given: TaskName): boolean =>
  differs(known.epoch, given.epoch, "") || differs(known.createdAtMs, given.createdAtMs, 0);

const differs = <T>(a: T, b: T, unknown: T): boolean => a !== unknown && b !== unknown && a !== b;

/** Returns the text by which files of a task's command name the task. */
export const identityOf = ({ epoch, createdAtMs }: TaskName): string => `${epoch}.${createdAtMs}`;

export const packageTitle = ({ packageName, packageVersion }: AgentTask): string =>
  `${packageName} ${packageVersion}`;
