/**
 * WAN rate by hours of the week: `mon-fri 08:00-18:00 2mbit; 18:00-08:00 none; sat,sun pause`.
 *
 * Windows are separated by `;`. A window has days, hours (week-hours.ts) and a rate. The rate
 * `none` removes the limit, and `pause` stops the download. The first window that matches applies,
 * and `wanRate` where none does.
 */
import * as v from "valibot";
import { formatRate, parseRateBps } from "./quantity.ts";
import type { WallClock, WallTime } from "./time-zone.ts";
import {
  formatMinute,
  formatWeekHours,
  isWithin,
  nextTimeMs,
  parseWeekHours,
  parseWindows,
  weekHoursEntries,
  windowsSchema,
} from "./week-hours.ts";

const wanRateMinBps = 8_000;
const dayMs = 86_400_000;

/** Schema of a rate in bit/s of payload. Null: no limit; 0: no download. */
export const wanRateSchema = v.nullable(
  v.pipe(
    v.number(),
    v.integer(),
    v.minValue(0),
    v.maxValue(1e12),
    v.check(
      (bps) => bps === 0 || bps >= wanRateMinBps,
      `it must be at least ${formatRate(wanRateMinBps)}, or pause`,
    ),
  ),
);

export const wanScheduleSchema = windowsSchema(
  v.strictObject({ ...weekHoursEntries, rateBps: wanRateSchema }),
);
type WanSchedule = v.InferOutput<typeof wanScheduleSchema>;

// ---- rate and pause at a time ---------------------------------------------------------------

type WanLimits = { readonly wanRateBps: number | null; readonly wanSchedule: WanSchedule };

/** Returns the rate in bit/s at `time`. Null: no limit; 0: no download. */
export function wanRateAt({ wanRateBps, wanSchedule }: WanLimits, time: WallTime): number | null {
  const window = wanSchedule.find((one) => isWithin(one, time));
  return window ? window.rateBps : wanRateBps;
}

/**
 * Returns when the pause at `nowMs` ends, and null when only a change of the setting ends it.
 * Without a pause, returns `nowMs`.
 */
export const wanResumesAtMs = (limits: WanLimits, nowMs: number, clock: WallClock): number | null =>
  nextTimeMs(limits.wanSchedule, (time) => wanRateAt(limits, time) !== 0, nowMs, clock);

/**
 * Returns "paused by the setting until 18:00", with the day when that is 24 hours away or more.
 * Without a pause, returns "".
 */
export function wanPauseReason(limits: WanLimits, nowMs: number, clock: WallClock): string {
  if (wanRateAt(limits, clock(nowMs)) !== 0) return "";
  const resumesAtMs = wanResumesAtMs(limits, nowMs, clock);
  if (resumesAtMs === null) return "paused by the setting until it is changed";
  const { day, minute: at } = clock(resumesAtMs);
  const dayText = resumesAtMs - nowMs >= dayMs ? `${day} ` : "";
  return `paused by the setting until ${dayText}${formatMinute(at)}`;
}

// ---- text form -------------------------------------------------------------------------------

/**
 * Parses a rate, "none" or "pause".
 *
 * @throws Error that quotes the text
 */
export function parseWanRate(text: string): number | null {
  if (text === "none") return null;
  if (text === "pause") return 0;
  return parseRateBps(text);
}

export const formatWanRate = (bps: number | null): string =>
  bps === null ? "none" : bps === 0 ? "pause" : formatRate(bps);

/**
 * Parses the windows of a schedule; `none` or an empty text is an empty schedule.
 *
 * @throws Error that quotes the window and names what is wrong with it
 */
export const parseWanSchedule = (text: string): WanSchedule => parseWindows(text, parseWindow);

function parseWindow(text: string): WanSchedule[number] {
  const fail = (why: string): never => {
    throw new Error(
      `"${text}" is not a window: ${why}; write for example mon-fri 08:00-18:00 2mbit, or sat,sun pause`,
    );
  };
  const words = text.toLowerCase().split(/\s+/);
  const rateText = words.pop()!;
  const neither = "days or hours are missing (wanRate is the rate of all other times)";
  const { days, ...hours } = parseWeekHours(words, neither, fail);
  const rate = v.safeParse(
    wanRateSchema,
    orFail(() => parseWanRate(rateText), fail),
  );
  if (!rate.success) return fail(`"${rateText}" is not a valid rate: ${rate.issues[0].message}`);
  return { days: [...days], ...hours, rateBps: rate.output };
}

function orFail<T>(read: () => T, fail: (why: string) => never): T {
  try {
    return read();
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** Formats a schedule; `parseWanSchedule` returns an equal one. */
export const formatWanSchedule = (schedule: WanSchedule): string =>
  schedule.length === 0
    ? "none"
    : schedule.map((window) => `${formatWeekHours(window)} ${formatWanRate(window.rateBps)}`).join("; ");
