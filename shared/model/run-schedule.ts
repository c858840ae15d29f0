/**
 * Hours of the week in which commands may begin: `mon-fri 20:00-06:00; sat,sun`. An empty schedule
 * allows every hour. A command that runs when its window ends continues.
 */
import * as v from "valibot";
import type { WallClock } from "./time-zone.ts";
import {
  formatWeekHours,
  isWithin,
  nextTimeMs,
  parseWeekHours,
  parseWindows,
  weekHoursEntries,
  windowsSchema,
} from "./week-hours.ts";

export const runScheduleSchema = windowsSchema(v.strictObject(weekHoursEntries));
export type RunSchedule = v.InferOutput<typeof runScheduleSchema>;

/** Returns the first time from `nowMs` on at which a command may begin; `nowMs` inside a window. */
export function mayRunFromMs(schedule: RunSchedule, nowMs: number, clock: WallClock): number {
  if (schedule.length === 0) return nowMs;
  const isInside = (time: ReturnType<WallClock>): boolean => schedule.some((one) => isWithin(one, time));
  return nextTimeMs(schedule, isInside, nowMs, clock) ?? Number.POSITIVE_INFINITY;
}

/**
 * Parses a schedule; `none` or an empty text is an empty one.
 *
 * @throws Error that quotes the window and names what is wrong with it
 */
export const parseRunSchedule = (text: string): RunSchedule => parseWindows(text, parseWindow);

function parseWindow(text: string): RunSchedule[number] {
  const fail = (why: string): never => {
    throw new Error(`"${text}" is not a window: ${why}; write for example mon-fri 20:00-06:00, or sat,sun`);
  };
  const { days, ...hours } = parseWeekHours(
    text.toLowerCase().split(/\s+/),
    "days or hours are missing",
    fail,
  );
  return { days: [...days], ...hours };
}

/** Formats a schedule; `parseRunSchedule` returns an equal one. */
export const formatRunSchedule = (schedule: RunSchedule): string =>
  schedule.length === 0 ? "none" : schedule.map(formatWeekHours).join("; ");
