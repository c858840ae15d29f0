/**
 * Options `--start TIME`, `--deadline TIME` and `--expires TIME`: a time in ISO 8601, or a duration
 * from now such as "+10m". A start may also be a time of each device's own clock. Pure.
 */
import { startDelayMaxMs } from "../../api/schema/admin.ts";
import { parseDurationMs } from "../../model/quantity.ts";
import type { TaskStart } from "../../model/task-life.ts";
import type { TimeZone } from "../../model/time-zone.ts";

const isoPattern = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const clockPattern = /^([01]?\d|2[0-3]):([0-5]\d)$/;
const localPattern = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?) local$/;
const dayMs = 86_400_000;

/**
 * Returns milliseconds since 1970 (UTC).
 *
 * @throws Error that quotes the text and shows valid examples
 */
export function parsePointInTime(text: string, nowMs: number): number {
  if (clockPattern.test(text) || text.endsWith(" local"))
    throw new Error(`"${text}" is a time of each device's clock, which only --start takes: give the day`);
  return bounded(text, parseTime(text, nowMs), nowMs);
}

/**
 * Returns the start of a task. "22:00" is the next one of the administrator's day, on each device's
 * own clock, and "2030-01-31T22:00 local" that of a given day.
 *
 * @param zone the administrator's
 * @throws Error that quotes the text and shows valid examples
 */
export function parseStartTime(text: string, nowMs: number, zone: TimeZone): TaskStart {
  const localMs = parseLocal(text, nowMs + zone(nowMs));
  if (localMs === null)
    return { startAtMs: bounded(text, parseTime(text, nowMs), nowMs), startIsLocal: false };
  return { startAtMs: bounded(text, localMs, nowMs), startIsLocal: true };
}

/** @param wallMs time of the administrator's clock, as if it were UTC */
function parseLocal(text: string, wallMs: number): number | null {
  const [, hour, minute] = clockPattern.exec(text) ?? [];
  if (hour !== undefined) {
    const todayMs = wallMs - (wallMs % dayMs) + (Number(hour) * 60 + Number(minute)) * 60_000;
    return todayMs > wallMs ? todayMs : todayMs + dayMs;
  }
  const [, day, time] = localPattern.exec(text) ?? [];
  const localMs = day === undefined ? Number.NaN : Date.parse(`${day}T${time}Z`);
  return Number.isNaN(localMs) ? null : localMs;
}

function bounded(text: string, timeMs: number, nowMs: number): number {
  if (timeMs < 0) throw new Error(`"${text}" is before 1970: write a later time`);
  if (timeMs - nowMs > startDelayMaxMs)
    throw new Error(`"${text}" is more than ten years from now: write an earlier time`);
  return timeMs;
}

function parseTime(text: string, nowMs: number): number {
  if (text.startsWith("+")) return nowMs + parseDurationMs(text.slice(1));
  const timeMs = isoPattern.test(text) ? Date.parse(text.replace(" ", "T")) : Number.NaN;
  if (Number.isNaN(timeMs)) {
    throw new Error(
      `"${text}" is not a time: write for example 2030-01-31T22:00, 2030-01-31T22:00Z, +10m, or a start on each device's clock as 22:00 or "2030-01-31T22:00 local"`,
    );
  }
  return timeMs;
}

/** Whether the start has passed, on each device's clock or by the administrator's. */
export const hasPassed = ({ startAtMs, startIsLocal }: TaskStart, nowMs: number, zone: TimeZone): boolean =>
  startAtMs < (startIsLocal ? nowMs + zone(nowMs) : nowMs);
