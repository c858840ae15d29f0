/** Conditions under which the command of a simulated task begins: its setting and its options. */
import type { AgentTask } from "../api/schema/agent.ts";
import type { RunSchedule } from "../model/run-schedule.ts";
import type { SettingValues } from "../model/setting.ts";
import { wallOriginMs } from "./layout.ts";
import type { Random } from "./random.ts";

export type RunConditions = {
  /** Setting `runSchedule`, for clocks in UTC. */
  readonly schedule: RunSchedule;
  /** Whether the command waits for a program. */
  readonly waitsForProgram: boolean;
  /** Setting `runWhileUserActive`, reversed. */
  readonly waitsForUser: boolean;
  readonly runDeferrals: number | null;
  readonly runDeferralMs: number;
  readonly deadlineAtMs: number | null;
};

export const programName = "EDITOR.EXE";
export const userIdleMs = 10_000;

/** Windows of a minute, and of a minute without. They outlast every world, then the day is open. */
const windowCount = 31;
/** Minute of the day at which worlds begin, or up to 17 minutes before. */
export const firstMinute = 480;

/** Draws conditions of a world. Waits end within a few minutes, also those of a busy command. */
export function drawRunConditions(random: Random): RunConditions {
  const phase = random.whole(0, 1);
  const hasSchedule = random.chance(0.7);
  const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
  const window = (fromMinute: number, toMinute: number): RunSchedule[number] => ({
    days: [...days],
    fromMinute,
    toMinute,
  });
  const windows = Array.from({ length: windowCount }, (_, at) => {
    const fromMinute = firstMinute + phase + 2 * at;
    return window(fromMinute, fromMinute + 1);
  });
  return {
    schedule: hasSchedule ? [...windows, window(firstMinute + 2 * windowCount, firstMinute)] : [],
    waitsForProgram: random.chance(0.5),
    waitsForUser: random.chance(0.3),
    runDeferrals: random.pick([null, null, 0, 1, 2]),
    runDeferralMs: random.whole(5_000, 15_000),
    deadlineAtMs: random.chance(0.3) ? wallOriginMs + random.whole(1, 1_100_000) : null,
  };
}

/** Parts of a task with conditions. */
export function conditionsOf(conditions: RunConditions | null): {
  readonly task: Pick<AgentTask, "deadlineAtMs" | "notWhile">;
  readonly values: Partial<SettingValues>;
} {
  if (conditions === null) return { task: { deadlineAtMs: null, notWhile: [] }, values: {} };
  const { schedule, waitsForProgram, waitsForUser, runDeferrals, runDeferralMs, deadlineAtMs } = conditions;
  return {
    task: { deadlineAtMs, notWhile: waitsForProgram ? [programName] : [] },
    values: {
      runSchedule: schedule,
      runWhileUserActive: !waitsForUser,
      userIdleMs,
      runDeferrals,
      runDeferralMs,
    },
  };
}
