/**
 * Agent settings: the named, versioned limits and switches an administrator gives to devices.
 *
 * One table says it all: the key on the command line, its field in JSON (with the unit at the end of the name), how
 * a person writes it, its bounds and its default. The schema of the API, the parser of `setting set` and the
 * documentation of `setting show` are all read off this table.
 */
import * as v from "valibot";
import {
  formatDuration,
  formatRate,
  formatSize,
  parseBoolean,
  parseDurationMs,
  parseInteger,
  parseIntegerList,
  parseRateBps,
  parseSizeBytes,
} from "./quantity.ts";
import {
  formatWanRate,
  formatWanSchedule,
  parseWanRate,
  parseWanSchedule,
  wanRateSchema,
  wanScheduleSchema,
} from "./wan-schedule.ts";

const durationMs = (minMs: number, maxMs: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(minMs), v.maxValue(maxMs));
const count = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

const SECOND = 1_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * What a setting holds, as it travels in JSON. Rates are bit/s of payload, sizes bytes, durations milliseconds. A key that
 * is not known is of a later version, and left out; an administrator's words are taken only as a whole (`settingPutSchema`).
 */
export const settingValuesSchema = v.object({
  useMulticast: v.boolean(),
  /** A source or a ledger that does not know it yet leaves it out. */
  wirelessMulticast: v.optional(v.boolean(), false),
  sessionStartDelayMs: durationMs(0, 24 * HOUR),
  /** 0: no download. */
  wanRateBps: wanRateSchema,
  /** As above. */
  wanSchedule: v.optional(wanScheduleSchema, []),
  lanRateBps: v.nullable(count(64_000, 1e11)),
  wanAttempts: count(1, 1_000),
  wanStallMs: durationMs(100, HOUR),
  wanFallback: v.picklist(["never", "last-resort"]),
  /** A source or a ledger that does not know it yet leaves it out. */
  useDeputy: v.optional(v.boolean(), true),
  cacheMaxBytes: v.nullable(count(1_048_576, Number.MAX_SAFE_INTEGER)),
  cacheMaxAgeMs: v.nullable(durationMs(60 * SECOND, 3_650 * DAY)),
  checkInIntervalMs: durationMs(SECOND, 30 * DAY),
  reportIntervalMs: durationMs(100, HOUR),
  representativeWeight: count(0, 100),
  commandTimeoutMs: durationMs(SECOND, 7 * DAY),
  commandSuccessExitCodes: v.pipe(v.array(v.pipe(v.number(), v.integer())), v.minLength(1), v.maxLength(64)),
});
export type SettingValues = v.InferOutput<typeof settingValuesSchema>;

/** The values of the setting named `default` until an administrator changes them. */
export const defaultSettingValues: SettingValues = {
  useMulticast: true,
  wirelessMulticast: false,
  sessionStartDelayMs: 60 * SECOND,
  wanRateBps: null,
  wanSchedule: [],
  lanRateBps: null,
  wanAttempts: 8,
  wanStallMs: 30 * SECOND,
  wanFallback: "last-resort",
  useDeputy: true,
  cacheMaxBytes: null,
  cacheMaxAgeMs: null,
  checkInIntervalMs: DAY,
  reportIntervalMs: 2 * SECOND,
  representativeWeight: 50,
  commandTimeoutMs: HOUR,
  commandSuccessExitCodes: [0],
};

type Field<K extends keyof SettingValues> = {
  readonly field: K;
  readonly parse: (text: string) => SettingValues[K];
  readonly format: (value: SettingValues[K]) => string;
  readonly about: string;
};
const field = <K extends keyof SettingValues>(
  name: K,
  parse: (text: string) => SettingValues[K],
  format: (value: SettingValues[K]) => string,
  about: string,
): Field<K> => ({ field: name, parse, format, about });

const orNone =
  <T>(parse: (text: string) => T) =>
  (text: string): T | null =>
    text === "none" ? null : parse(text);
const showNone =
  <T>(format: (value: T) => string) =>
  (value: T | null): string =>
    value === null ? "none" : format(value);
const parsePolicy = (text: string): SettingValues["wanFallback"] => {
  if (text === "never" || text === "last-resort") return text;
  throw new Error(`"${text}" is not a policy: write never or last-resort`);
};

/** Every key of `setting set NAME key=value …`, in the order it is shown. */
export const settingKeys = {
  useMulticast: field(
    "useMulticast",
    parseBoolean,
    String,
    "multicast on the LAN; false: peers fetch from the representative and from each other",
  ),
  wirelessMulticast: field(
    "wirelessMulticast",
    parseBoolean,
    String,
    "multicast data for devices on Wi-Fi too; false: they fetch by unicast",
  ),
  sessionStartDelay: field(
    "sessionStartDelayMs",
    parseDurationMs,
    formatDuration,
    "from the election to the first multicast symbol",
  ),
  wanRate: field(
    "wanRateBps",
    parseWanRate,
    formatWanRate,
    "most the representative downloads at; none: no limit; pause: no download",
  ),
  wanSchedule: field(
    "wanSchedule",
    parseWanSchedule,
    formatWanSchedule,
    "windows of the device's time with another wanRate, the first that matches counts: mon-fri 08:00-18:00 2mbit; sat,sun pause",
  ),
  lanRate: field(
    "lanRateBps",
    orNone(parseRateBps),
    showNone(formatRate),
    "most that is multicast at, payload; none: as fast as most receivers follow",
  ),
  wanAttempts: field(
    "wanAttempts",
    parseInteger,
    String,
    "attempts at the web site without progress before a representative gives up",
  ),
  wanStall: field(
    "wanStallMs",
    parseDurationMs,
    formatDuration,
    "silence of the web site after which a download is begun anew",
  ),
  wanFallback: field(
    "wanFallback",
    parsePolicy,
    String,
    "may a device fetch from the web site itself when its subnet cannot serve it: never or last-resort (one at a time in each subnet, as the source allows)",
  ),
  useDeputy: field(
    "useDeputy",
    parseBoolean,
    String,
    "one peer takes by unicast what only the representative holds and has not multicast yet",
  ),
  cacheMaxBytes: field(
    "cacheMaxBytes",
    orNone(parseSizeBytes),
    showNone(formatSize),
    "size cap of the distribution cache; none: no cap",
  ),
  cacheMaxAge: field(
    "cacheMaxAgeMs",
    orNone(parseDurationMs),
    showNone(formatDuration),
    "unused packages older than this leave the cache; none: they stay",
  ),
  checkInInterval: field(
    "checkInIntervalMs",
    parseDurationMs,
    formatDuration,
    "time between check-ins when nothing wakes the device, jittered by 10 %",
  ),
  reportInterval: field(
    "reportIntervalMs",
    parseDurationMs,
    formatDuration,
    "time between progress reports while a task is active; longer where more than 8 devices follow one representative",
  ),
  representativeWeight: field(
    "representativeWeight",
    parseInteger,
    String,
    "0: never a representative; 100: preferred; 50: as its rank says",
  ),
  commandTimeout: field(
    "commandTimeoutMs",
    parseDurationMs,
    formatDuration,
    "time limit of the command of a task that runs",
  ),
  commandSuccessExitCodes: field(
    "commandSuccessExitCodes",
    parseIntegerList,
    (codes) => codes.join(","),
    "exit codes that mean success",
  ),
} as const;
export type SettingKey = keyof typeof settingKeys;

/** A bound as a person writes it, "64kbit" and not 64000. */
function outOfBounds(format: unknown, { type, requirement, message }: v.BaseIssue<unknown>): string {
  if (typeof requirement !== "number" || (type !== "min_value" && type !== "max_value")) return message;
  const bound = (format as (value: number) => string)(requirement);
  return type === "min_value" ? `it must be at least ${bound}` : `it must be at most ${bound}`;
}

/**
 * Applies `key=value` words to a setting.
 * @throws Error naming the word, what is wrong with it and what may stand there.
 */
export function applySettingWords(base: SettingValues, words: readonly string[]): SettingValues {
  const changed: Record<string, unknown> = { ...base };
  for (const word of words) {
    const at = word.indexOf("=");
    const key = at < 0 ? word : word.slice(0, at);
    if (at < 0 || !Object.hasOwn(settingKeys, key)) {
      throw new Error(
        `"${word}" is not a setting: write key=value with one of ${Object.keys(settingKeys).join(", ")}`,
      );
    }
    const entry = settingKeys[key as SettingKey];
    try {
      const value = entry.parse(word.slice(at + 1));
      const parsed = v.safeParse(settingValuesSchema.entries[entry.field], value);
      if (!parsed.success) throw new Error(outOfBounds(entry.format, parsed.issues[0]));
      changed[entry.field] = parsed.output;
    } catch (error) {
      throw new Error(`Cannot set ${word}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  return v.parse(settingValuesSchema, changed);
}

/** The setting as `key=value` lines, in the table's order. */
export function settingLines(values: SettingValues): { key: string; value: string; about: string }[] {
  return Object.entries(settingKeys).map(([key, entry]) => ({
    key,
    value: (entry.format as (value: unknown) => string)(values[entry.field]),
    about: entry.about,
  }));
}
