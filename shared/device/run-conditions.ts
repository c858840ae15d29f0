/**
 * Whether the command of a task may begin: the hours of `runSchedule`, programs that must not run,
 * active users, deferrals and the deadline. Pure; command-gate.ts asks and waits.
 */
import type { AgentTask } from "../api/schema/agent.ts";
import { reason, type Reason } from "../model/reason.ts";
import { formatRunSchedule, mayRunFromMs } from "../model/run-schedule.ts";
import type { WallClock } from "../model/time-zone.ts";

/** Wait of a command; `untilMs` is the time at which it is asked again at the latest. */
export type RunWait = { readonly note: Reason; readonly untilMs: number };

/** Programs and users at one time. */
export type Seen = {
  /** Names of the running programs; empty if the task names none. */
  readonly programs: readonly string[];
  readonly ignoresCase: boolean;
  /** Time without input of a user; null: no user is logged on, or the setting does not ask. */
  readonly userIdleMs: number | null;
};

/** Deferrals of a task, as its row in the ledger keeps them. */
export type Deferrals = { readonly deferrals: number; readonly deferredUntilMs: number };

type Deadline = Pick<AgentTask, "deadlineAtMs">;

export const isPastDeadline = ({ deadlineAtMs }: Deadline, nowMs: number): boolean =>
  deadlineAtMs !== null && nowMs >= deadlineAtMs;

/** Whether programs or users have to be asked for before the command begins. */
export const hasConditions = ({ notWhile, setting }: AgentTask): boolean =>
  notWhile.length > 0 || !setting.values.runWhileUserActive;

/** Returns the wait for the next window; null: the command may begin at this hour. */
export function windowWait(task: AgentTask, nowMs: number, clock: WallClock): RunWait | null {
  const { runSchedule } = task.setting.values;
  if (isPastDeadline(task, nowMs)) return null;
  const fromMs = mayRunFromMs(runSchedule, nowMs, clock);
  if (fromMs <= nowMs) return null;
  const untilMs = Math.min(fromMs, task.deadlineAtMs ?? Number.POSITIVE_INFINITY);
  const schedule = formatRunSchedule(runSchedule);
  return { note: reason("awaits-window", { schedule, untilMs, isDeadline: untilMs < fromMs }), untilMs };
}

/** Returns the programs that keep the command from beginning; none: a user; null: nothing. */
export function obstacleOf(task: AgentTask, { programs, ignoresCase, userIdleMs }: Seen): string[] | null {
  const comparable = (name: string): string => (ignoresCase ? name.toLowerCase() : name);
  const running = new Set(programs.map(comparable));
  const found = task.notWhile.filter((name) => running.has(comparable(name)));
  if (found.length > 0) return found;
  return userIdleMs !== null && userIdleMs < task.setting.values.userIdleMs ? [] : null;
}

/**
 * Puts a command off because of an obstacle. A deferral that has begun continues, so that a short
 * absence of the obstacle costs none.
 *
 * @returns null after the last deferral: the command begins although the obstacle is there
 */
export function putOff(
  task: AgentTask,
  before: Deferrals,
  obstacle: readonly string[],
  nowMs: number,
): (Deferrals & { readonly wait: RunWait }) | null {
  const { runDeferrals, runDeferralMs } = task.setting.values;
  const deadlineAtMs = task.deadlineAtMs ?? Number.POSITIVE_INFINITY;
  const programs = obstacle.join(", ");
  if (runDeferrals === null) {
    const untilMs = Math.min(nowMs + runDeferralMs, deadlineAtMs);
    const note = reason("awaits-absence", { programs, deadlineAtMs: task.deadlineAtMs });
    return { ...before, wait: { note, untilMs } };
  }
  const { deferrals, deferredUntilMs } = nextDeferral(before, runDeferralMs, nowMs);
  if (deferrals > runDeferrals) return null;
  const untilMs = Math.min(deferredUntilMs, deadlineAtMs);
  const note = reason("deferred", { deferral: deferrals, of: runDeferrals, untilMs, programs });
  return { deferrals, deferredUntilMs, wait: { note, untilMs } };
}

/** A clock that was set back, or a shorter `runDeferral`, must not lengthen a deferral. */
function nextDeferral(before: Deferrals, runDeferralMs: number, nowMs: number): Deferrals {
  const endsAtMs = nowMs + runDeferralMs;
  return before.deferredUntilMs > nowMs
    ? { ...before, deferredUntilMs: Math.min(before.deferredUntilMs, endsAtMs) }
    : { deferrals: before.deferrals + 1, deferredUntilMs: endsAtMs };
}
