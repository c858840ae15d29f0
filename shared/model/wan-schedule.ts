/**
 * WAN rate by hours of the week: `mon-fri 08:00-18:00 2mbit; 18:00-08:00 none; sat,sun pause`.
 *
 * Windows are separated by `;`. A window has days, hours and a rate. Without days it applies every
 * day, without hours the whole day. The rate `none` removes the limit, and `pause` stops the
 * download. The first window that matches applies, and `wanRate` where none does. A window that
 * ends before it begins crosses midnight and belongs to the day on which it begins.
 *
 * The clock is a function from UTC to the device's wall clock, so days of 23 or 25 hours need no
 * special case.
 */
import * as v from "valibot";
import { formatRate, parseRateBps } from "./quantity.ts";

const wanRateMinBps = 8_000;
const wanWindowsMax = 32;

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

const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
const dayMinutes = 1_440;

const minute = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(max));
const windowSchema = v.strictObject({
  days: v.pipe(
    v.array(v.picklist(dayNames)),
    v.minLength(1),
    v.check((days) => new Set(days).size === days.length, "a day is named twice"),
  ),
  /** Start of the window in minutes after midnight on the device's clock. */
  fromMinute: minute(dayMinutes - 1),
  /** End of the window, exclusive. Below `fromMinute` it is on the next day. */
  toMinute: minute(dayMinutes),
  rateBps: wanRateSchema,
});
export const wanScheduleSchema = v.pipe(
  v.array(
    v.pipe(
      windowSchema,
      v.check(({ fromMinute, toMinute }) => fromMinute !== toMinute, "a window ends when it begins"),
    ),
  ),
  v.maxLength(wanWindowsMax, `at most ${wanWindowsMax} windows`),
);
type WanSchedule = v.InferOutput<typeof wanScheduleSchema>;
type WanWindow = WanSchedule[number];
type Day = WanWindow["days"][number];

/** Time on the wall clock of a device. */
export type WallTime = { readonly day: Day; readonly minute: number };
export type WallClock = (utcMs: number) => WallTime;

/** Clock of this device in its time zone. */
export const deviceClock: WallClock = (utcMs) => {
  const at = new Date(utcMs);
  return { day: dayNames[at.getDay()]!, minute: at.getHours() * 60 + at.getMinutes() };
};

// ---- rate and pause at a time ---------------------------------------------------------------

type WanLimits = { readonly wanRateBps: number | null; readonly wanSchedule: WanSchedule };

/** Returns the rate in bit/s at `time`. Null: no limit; 0: no download. */
export function wanRateAt({ wanRateBps, wanSchedule }: WanLimits, time: WallTime): number | null {
  const window = wanSchedule.find((one) => isWithin(one, time));
  return window ? window.rateBps : wanRateBps;
}

function isWithin({ days, fromMinute, toMinute }: WanWindow, { day, minute: now }: WallTime): boolean {
  if (fromMinute < toMinute) return days.includes(day) && now >= fromMinute && now < toMinute;
  return (days.includes(day) && now >= fromMinute) || (days.includes(dayBefore(day)) && now < toMinute);
}

const dayBefore = (day: Day): Day => dayNames[(dayNames.indexOf(day) + 6) % 7]!;

const minuteMs = 60_000;
/** Time zones change their offset at whole quarters of an hour of UTC. */
const quarterMs = 15 * minuteMs;
/** One week and two hours: the offset of a time zone can make a week an hour longer. */
const lookAheadMs = (7 * 24 + 2) * 60 * minuteMs;

/**
 * Returns when the pause at `nowMs` ends, and null when only a change of the setting ends it.
 * Without a pause, returns `nowMs`.
 */
export function wanResumesAtMs(limits: WanLimits, nowMs: number, clock: WallClock): number | null {
  const edges = limits.wanSchedule.flatMap(({ fromMinute, toMinute }) => [fromMinute, toMinute % dayMinutes]);
  if (edges.length === 0) return null;
  edges.push(0);
  for (let atMs = nowMs; atMs <= nowMs + lookAheadMs;) {
    if (wanRateAt(limits, clock(atMs)) !== 0) return atMs;
    const now = clock(atMs).minute;
    const minutesToEdge = Math.min(...edges.map((edge) => (edge - now + dayMinutes - 1) % dayMinutes)) + 1;
    const startOfMinuteMs = atMs - (atMs % minuteMs);
    const nextQuarterMs = atMs - (atMs % quarterMs) + quarterMs;
    atMs = Math.min(startOfMinuteMs + minutesToEdge * minuteMs, nextQuarterMs);
  }
  return null;
}

/**
 * Returns "paused by the setting until 18:00", with the day when that is 24 hours away or more.
 * Without a pause, returns "".
 */
export function wanPauseReason(limits: WanLimits, nowMs: number, clock: WallClock): string {
  if (wanRateAt(limits, clock(nowMs)) !== 0) return "";
  const resumesAtMs = wanResumesAtMs(limits, nowMs, clock);
  if (resumesAtMs === null) return "paused by the setting until it is changed";
  const { day, minute: at } = clock(resumesAtMs);
  const dayText = resumesAtMs - nowMs >= 24 * 60 * minuteMs ? `${day} ` : "";
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
export function parseWanSchedule(text: string): WanSchedule {
  if (text.trim() === "" || text.trim() === "none") return [];
  return text
    .split(";")
    .filter((part) => part.trim() !== "")
    .map((part) => parseWindow(part.trim()));
}

function parseWindow(text: string): WanWindow {
  const fail = (why: string): never => {
    throw new Error(
      `"${text}" is not a window: ${why}; write for example mon-fri 08:00-18:00 2mbit, or sat,sun pause`,
    );
  };
  const words = text.toLowerCase().split(/\s+/);
  const rateText = words.pop()!;
  const daysText = /^[a-z]/.test(words[0] ?? "") ? words.shift() : undefined;
  const days = daysText === undefined ? [...weekOrder] : parseDays(daysText, fail);
  const hoursText = words.shift();
  if (words.length > 0) return fail(`"${words.join(" ")}" is not expected after the hours`);
  if (daysText === undefined && hoursText === undefined) {
    return fail("days or hours are missing (wanRate is the rate of all other times)");
  }
  const hours =
    hoursText === undefined ? { fromMinute: 0, toMinute: dayMinutes } : parseHours(hoursText, fail);
  const rate = v.safeParse(
    wanRateSchema,
    orFail(() => parseWanRate(rateText), fail),
  );
  if (!rate.success) return fail(`"${rateText}" is not a valid rate: ${rate.issues[0].message}`);
  return { days, ...hours, rateBps: rate.output };
}

type Fail = (why: string) => never;

function orFail<T>(read: () => T, fail: Fail): T {
  try {
    return read();
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function parseDays(text: string, fail: Fail): Day[] {
  const chosen = new Set<Day>();
  for (const part of text.split(",")) {
    const [first, last = first, ...more] = part.split("-").map((name) => dayNames.indexOf(name as Day));
    if (first === undefined || first < 0 || last === undefined || last < 0 || more.length > 0) {
      return fail(
        `"${part}" is not a day: write mon, tue, wed, thu, fri, sat, sun or a range such as mon-fri`,
      );
    }
    const count = ((last - first + 7) % 7) + 1;
    for (let i = 0; i < count; i++) chosen.add(dayNames[(first + i) % 7]!);
  }
  return weekOrder.filter((day) => chosen.has(day));
}

function parseHours(text: string, fail: Fail): { fromMinute: number; toMinute: number } {
  const match = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(text);
  const [fromHour, from, toHour, to] = (match ?? []).slice(1).map(Number);
  const isClock =
    match && from! < 60 && to! < 60 && fromHour! < 24 && (toHour! < 24 || (toHour === 24 && to === 0));
  if (!isClock) return fail(`"${text}" is not a range of hours: write HH:MM-HH:MM from 00:00 to 24:00`);
  const [fromMinute, toMinute] = [fromHour! * 60 + from!, toHour! * 60 + to!];
  if (fromMinute === toMinute)
    return fail(`"${text}" ends when it begins: leave the hours out for the whole day`);
  return { fromMinute, toMinute };
}

/** Days in the order in which people write them. */
const weekOrder: readonly Day[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/** Formats a schedule; `parseWanSchedule` returns an equal one. */
export function formatWanSchedule(schedule: WanSchedule): string {
  if (schedule.length === 0) return "none";
  return schedule
    .map(({ days, fromMinute, toMinute, rateBps }) => {
      const isWholeDay = fromMinute === 0 && toMinute === dayMinutes;
      const daysText = formatDays(days);
      const words = [
        daysText === "" && isWholeDay ? "mon-sun" : daysText,
        isWholeDay ? "" : `${formatMinute(fromMinute)}-${formatMinute(toMinute)}`,
        formatWanRate(rateBps),
      ];
      return words.filter((word) => word !== "").join(" ");
    })
    .join("; ");
}

function formatDays(days: readonly Day[]): string {
  if (days.length === 7) return "";
  const parts: string[] = [];
  for (let i = 0; i < 7; i++) {
    if (!days.includes(weekOrder[i]!)) continue;
    let end = i;
    while (end < 6 && days.includes(weekOrder[end + 1]!)) end++;
    // Two adjacent days are listed, three or more are a range.
    if (end > i + 1) parts.push(`${weekOrder[i]}-${weekOrder[end]}`);
    else parts.push(...weekOrder.slice(i, end + 1));
    i = end;
  }
  return parts.join(",");
}

const formatMinute = (at: number): string =>
  `${String(Math.floor(at / 60)).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;
