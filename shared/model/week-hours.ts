/**
 * Hours of the week, as settings name them: `mon-fri 22:00-06:00`. Without days they are those of
 * every day, without hours the whole day. Hours that end before they begin cross midnight, and
 * belong to the day on which they begin.
 *
 * The clock is a function from UTC to the device's wall clock, so days of 23 or 25 hours need no
 * special case.
 */
import * as v from "valibot";
import { dayNames, type Day, type WallClock, type WallTime } from "./time-zone.ts";

export const dayMinutes = 1_440;
const windowsMax = 32;

const minute = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(max));
export const weekHoursEntries = {
  days: v.pipe(
    v.array(v.picklist(dayNames)),
    v.minLength(1),
    v.check((days) => new Set(days).size === days.length, "a day is named twice"),
  ),
  /** Start in minutes after midnight on the device's clock. */
  fromMinute: minute(dayMinutes - 1),
  /** End, exclusive. Below `fromMinute` it is on the next day. */
  toMinute: minute(dayMinutes),
};
export type WeekHours = {
  readonly days: readonly Day[];
  readonly fromMinute: number;
  readonly toMinute: number;
};

/** Returns the schema of a list of windows, each of which is `window` and not empty. */
export const windowsSchema = <Window extends WeekHours>(window: v.GenericSchema<Window>) =>
  v.pipe(
    v.array(
      v.pipe(
        window,
        v.check(({ fromMinute, toMinute }) => fromMinute !== toMinute, "a window ends when it begins"),
      ),
    ),
    v.maxLength(windowsMax, `at most ${windowsMax} windows`),
  );

export function isWithin({ days, fromMinute, toMinute }: WeekHours, { day, minute: now }: WallTime): boolean {
  if (fromMinute < toMinute) return days.includes(day) && now >= fromMinute && now < toMinute;
  return (days.includes(day) && now >= fromMinute) || (days.includes(dayBefore(day)) && now < toMinute);
}

const dayBefore = (day: Day): Day => dayNames[(dayNames.indexOf(day) + 6) % 7]!;

const minuteMs = 60_000;
/** Time zones change their offset at whole quarters of an hour of UTC. */
const quarterMs = 15 * minuteMs;
/** Two weeks and two hours: a window that a change of the offset skips comes a week later. */
const lookAheadMs = (14 * 24 + 2) * 60 * minuteMs;

/**
 * Returns the first time from `nowMs` on at which `holds` is true, and null when it never is.
 *
 * @param windows hours at whose begin or end, or at midnight, the answer of `holds` may change
 */
export function nextTimeMs(
  windows: readonly WeekHours[],
  holds: (time: WallTime) => boolean,
  nowMs: number,
  clock: WallClock,
): number | null {
  const edges = windows.flatMap(({ fromMinute, toMinute }) => [fromMinute, toMinute % dayMinutes]);
  if (edges.length === 0) return null;
  edges.push(0);
  for (let atMs = nowMs; atMs <= nowMs + lookAheadMs;) {
    const time = clock(atMs);
    if (holds(time)) return atMs;
    const minutesToEdge =
      Math.min(...edges.map((edge) => (edge - time.minute + dayMinutes - 1) % dayMinutes)) + 1;
    const startOfMinuteMs = atMs - (atMs % minuteMs);
    const nextQuarterMs = atMs - (atMs % quarterMs) + quarterMs;
    atMs = Math.min(startOfMinuteMs + minutesToEdge * minuteMs, nextQuarterMs);
  }
  return null;
}

// ---- text form -------------------------------------------------------------------------------

type Fail = (why: string) => never;

/**
 * Splits a schedule into its windows, separated by `;`. `none` and an empty text have none.
 *
 * @throws Error of `parse`
 */
export const parseWindows = <T>(text: string, parse: (window: string) => T): T[] =>
  text.trim() === "none"
    ? []
    : text
        .split(";")
        .filter((part) => part.trim() !== "")
        .map((part) => parse(part.trim()));

/**
 * Parses the days and the hours of a window; either may be missing, but not both.
 *
 * @param words lower case
 * @param neither what is wrong when both are missing
 */
export function parseWeekHours(words: readonly string[], neither: string, fail: Fail): WeekHours {
  const rest = [...words];
  const daysText = /^[a-z]/.test(rest[0] ?? "") ? rest.shift() : undefined;
  const days = daysText === undefined ? [...weekOrder] : parseDays(daysText, fail);
  const hoursText = rest.shift();
  if (rest.length > 0) return fail(`"${rest.join(" ")}" is not expected after the hours`);
  if (daysText === undefined && hoursText === undefined) return fail(neither);
  const hours =
    hoursText === undefined ? { fromMinute: 0, toMinute: dayMinutes } : parseHours(hoursText, fail);
  return { days, ...hours };
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

/** Formats days and hours; `parseWeekHours` returns equal ones. */
export function formatWeekHours({ days, fromMinute, toMinute }: WeekHours): string {
  const isWholeDay = fromMinute === 0 && toMinute === dayMinutes;
  const daysText = formatDays(days);
  const words = [
    daysText === "" && isWholeDay ? "mon-sun" : daysText,
    isWholeDay ? "" : `${formatMinute(fromMinute)}-${formatMinute(toMinute)}`,
  ];
  return words.filter((word) => word !== "").join(" ");
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

export const formatMinute = (at: number): string =>
  `${String(Math.floor(at / 60)).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;
