/**
 * Agent settings: the named, versioned limits and switches an administrator gives to devices.
 *
 * `settingKeys` is the one table. A new setting is one row in it. The schemas of the API, the
 * built-in values, the parser of `setting set` and the text of `setting show` (setting-words.ts)
 * are derived from the rows.
 */
import * as v from "valibot";
import { guardSettings } from "./guard-settings.ts";
import { diskShareSchema, formatDiskShare, parseDiskShare } from "./disk-share.ts";
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
import { formatRunSchedule, parseRunSchedule, runScheduleSchema } from "./run-schedule.ts";
import {
  DAY,
  HOUR,
  SECOND,
  count,
  durationMs,
  orNone,
  setting,
  showNone,
  type Presence,
  type SettingRow,
} from "./setting-row.ts";
import { wakeSettingKeys } from "./wake-settings.ts";
import {
  formatWanRate,
  formatWanSchedule,
  parseWanRate,
  parseWanSchedule,
  wanRateSchema,
  wanScheduleSchema,
} from "./wan-schedule.ts";

const fallbackPolicies = ["never", "last-resort"] as const;
const parsePolicy = (text: string): (typeof fallbackPolicies)[number] => {
  if (text === "never" || text === "last-resort") return text;
  throw new Error(`"${text}" is not a policy: write never or last-resort`);
};

const exitCodes = v.pipe(v.array(v.pipe(v.number(), v.integer())), v.maxLength(64));
const parseExitCodes = (text: string): number[] => (text === "none" ? [] : parseIntegerList(text));
const formatExitCodes = (codes: readonly number[]): string => codes.join(",") || "none";

/** Every key of `setting set NAME key=value …`, in the order in which `setting show` lists them. */
export const settingKeys = {
  useMulticast: setting({
    field: "useMulticast",
    schema: v.boolean(),
    default: true,
    parse: parseBoolean,
    format: String,
    about: "multicast on the LAN; false: peers download from the representative and from each other",
  }),
  wirelessMulticast: setting({
    field: "wirelessMulticast",
    schema: v.boolean(),
    default: false,
    mayBeMissing: true,
    parse: parseBoolean,
    format: String,
    about: "multicast for devices on Wi-Fi too; false: they download by unicast",
  }),
  sessionStartDelay: setting({
    field: "sessionStartDelayMs",
    schema: durationMs(0, 24 * HOUR),
    default: 60 * SECOND,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time from the election to the first multicast symbol",
  }),
  startWhenAllPresent: setting({
    field: "startWhenAllPresent",
    schema: v.boolean(),
    default: true,
    mayBeMissing: true,
    parse: parseBoolean,
    format: String,
    about:
      "whether the multicast starts before the delay once every connected target of the subnet takes part",
  }),
  wanRate: setting({
    field: "wanRateBps",
    schema: wanRateSchema,
    default: null,
    parse: parseWanRate,
    format: formatWanRate,
    about: "limit of the representative's download rate; none: no limit; pause: no download",
  }),
  wanSchedule: setting({
    field: "wanSchedule",
    schema: wanScheduleSchema,
    default: [],
    mayBeMissing: true,
    parse: parseWanSchedule,
    format: formatWanSchedule,
    about:
      "hours of the device's time with another wanRate; the first match applies: mon-fri 08:00-18:00 2mbit; sat,sun pause",
  }),
  lanRate: setting({
    field: "lanRateBps",
    schema: v.nullable(count(64_000, 1e11)),
    default: null,
    parse: orNone(parseRateBps),
    format: showNone(formatRate),
    about: "limit of the multicast rate, payload; none: as fast as most receivers keep up",
  }),
  wanAttempts: setting({
    field: "wanAttempts",
    schema: count(1, 1_000),
    default: 8,
    parse: parseInteger,
    format: String,
    about: "download attempts without progress before a representative gives up",
  }),
  wanStall: setting({
    field: "wanStallMs",
    schema: durationMs(100, HOUR),
    default: 30 * SECOND,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time without data from the web site after which the download is restarted",
  }),
  wanFallback: setting({
    field: "wanFallback",
    schema: v.picklist(fallbackPolicies),
    default: "last-resort",
    parse: parsePolicy,
    format: String,
    about:
      "download by a device itself when its subnet cannot serve it: never, or last-resort (one device at a time per subnet)",
  }),
  useDeputy: setting({
    field: "useDeputy",
    schema: v.boolean(),
    default: true,
    mayBeMissing: true,
    parse: parseBoolean,
    format: String,
    about: "one peer keeps a standby copy of chunks that only the representative holds, by unicast",
  }),
  cacheMaxBytes: setting({
    field: "cacheMaxBytes",
    schema: v.nullable(count(1_048_576, Number.MAX_SAFE_INTEGER)),
    default: null,
    parse: orNone(parseSizeBytes),
    format: showNone(formatSize),
    about: "size limit of the distribution cache; none: no limit",
  }),
  cacheMaxAge: setting({
    field: "cacheMaxAgeMs",
    schema: v.nullable(durationMs(60 * SECOND, 3_650 * DAY)),
    default: 90 * DAY,
    parse: orNone(parseDurationMs),
    format: showNone(formatDuration),
    about: "age at which packages without an open task are removed from the cache; none: never",
  }),
  cacheKeepFree: setting({
    field: "cacheKeepFree",
    schema: diskShareSchema,
    default: { percent: 10 },
    mayBeMissing: true,
    parse: parseDiskShare,
    format: formatDiskShare,
    about:
      "part of the disk that the cache leaves free, as a share or a size; packages without an open task make room",
  }),
  checkInInterval: setting({
    field: "checkInIntervalMs",
    schema: durationMs(SECOND, 30 * DAY),
    default: DAY,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time between check-ins without a change at the source, with a jitter of 10 %",
  }),
  reportInterval: setting({
    field: "reportIntervalMs",
    schema: durationMs(100, HOUR),
    default: 2 * SECOND,
    parse: parseDurationMs,
    format: formatDuration,
    about:
      "time between progress reports while a task is active; longer where more than 8 devices follow one representative",
  }),
  shareLog: setting({
    field: "shareLog",
    schema: v.boolean(),
    default: true,
    mayBeMissing: true,
    parse: parseBoolean,
    format: String,
    about: "whether operators may read the last lines of the agent's log",
  }),
  deviceExpiry: setting({
    field: "deviceExpiryMs",
    schema: v.nullable(durationMs(DAY, 3_650 * DAY)),
    default: null,
    mayBeMissing: true,
    parse: orNone(parseDurationMs),
    format: showNone(formatDuration),
    about: "age at which the source removes devices that were not seen; read from default; none: never",
  }),
  representativeWeight: setting({
    field: "representativeWeight",
    schema: count(0, 100),
    default: 50,
    parse: parseInteger,
    format: String,
    about: "preference as representative; 0: never; 50: by its rank; 100: preferred",
  }),
  ...guardSettings,
  commandTimeout: setting({
    field: "commandTimeoutMs",
    schema: durationMs(SECOND, 7 * DAY),
    default: HOUR,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time limit of the command of a run task",
  }),
  commandSuccessExitCodes: setting({
    field: "commandSuccessExitCodes",
    schema: v.pipe(exitCodes, v.minLength(1)),
    default: [0],
    parse: parseIntegerList,
    format: (codes) => codes.join(","),
    about: "exit codes that mean success",
  }),
  commandRebootExitCodes: setting({
    field: "commandRebootExitCodes",
    schema: exitCodes,
    // A POSIX shell ends with 194 for `exit 3010`.
    default: [194, 1_641, 3_010],
    mayBeMissing: true,
    parse: parseExitCodes,
    format: formatExitCodes,
    about: "exit codes that mean success, but the machine has to be restarted; none: no code",
  }),
  commandBusyExitCodes: setting({
    field: "commandBusyExitCodes",
    schema: exitCodes,
    default: [75, 1_618],
    mayBeMissing: true,
    parse: parseExitCodes,
    format: formatExitCodes,
    about: "exit codes that mean that another installer runs: the command is repeated; none: no code",
  }),
  commandAttempts: setting({
    field: "commandAttempts",
    schema: count(1, 1_000),
    default: 10,
    mayBeMissing: true,
    parse: parseInteger,
    format: String,
    about: "runs of a command whose exit code means busy, before the task fails",
  }),
  runSchedule: setting({
    field: "runSchedule",
    schema: runScheduleSchema,
    default: [],
    mayBeMissing: true,
    parse: parseRunSchedule,
    format: formatRunSchedule,
    about:
      "hours of the device's time in which commands may begin: mon-fri 20:00-06:00; sat,sun; none: always",
  }),
  runWhileUserActive: setting({
    field: "runWhileUserActive",
    schema: v.boolean(),
    default: true,
    mayBeMissing: true,
    parse: parseBoolean,
    format: String,
    about: "whether commands begin while a local user is active",
  }),
  userIdle: setting({
    field: "userIdleMs",
    schema: durationMs(SECOND, DAY),
    default: 600 * SECOND,
    mayBeMissing: true,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time without input after which a user counts as absent",
  }),
  runDeferrals: setting({
    field: "runDeferrals",
    schema: v.nullable(count(0, 1_000)),
    default: null,
    mayBeMissing: true,
    parse: orNone(parseInteger),
    format: showNone(String),
    about:
      "times that a command is put off because a program runs or a user is active; then it begins; none: no limit",
  }),
  runDeferral: setting({
    field: "runDeferralMs",
    schema: durationMs(SECOND, 7 * DAY),
    default: HOUR,
    mayBeMissing: true,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time for which a command is put off once",
  }),
  startJitter: setting({
    field: "startJitterMs",
    schema: durationMs(0, HOUR),
    default: 30 * SECOND,
    mayBeMissing: true,
    parse: parseDurationMs,
    format: formatDuration,
    about: "upper bound on the delay by which subnets start a scheduled task at different times",
  }),
  ...wakeSettingKeys,
  upgradeConfirm: setting({
    field: "upgradeConfirmMs",
    schema: durationMs(SECOND, DAY),
    default: 300 * SECOND,
    mayBeMissing: true,
    parse: parseDurationMs,
    format: formatDuration,
    about: "time within which a new version of the agent has to check in; otherwise the old one runs again",
  }),
} as const;
export type SettingKey = keyof typeof settingKeys;

type Rows = typeof settingKeys;
type SchemaOf<R extends Rows[SettingKey]> =
  R extends Presence<true> ? v.OptionalSchema<R["schema"], R["default"]> : R["schema"];
type Entries = { [K in SettingKey as Rows[K]["field"]]: SchemaOf<Rows[K]> };

const rows = Object.values(settingKeys) as (SettingRow<string, v.GenericSchema> & Presence<boolean>)[];

/**
 * Schema of the values as they travel in JSON. Rates are bit/s of payload, sizes bytes, durations
 * milliseconds. A field added by a later version is dropped. `settingPutSchema` refuses it instead,
 * because an administrator's misspelt key must not be lost silently.
 */
export const settingValuesSchema = v.object(
  Object.fromEntries(
    rows.map((row) => [row.field, row.mayBeMissing ? v.optional(row.schema, row.default) : row.schema]),
  ) as unknown as Entries,
);
export type SettingValues = v.InferOutput<typeof settingValuesSchema>;

export type SettingField = keyof SettingValues;
/** Fields of the values, in the order of the table. */
export const settingFields = rows.map(({ field }) => field) as readonly SettingField[];

/** The built-in values, from which the setting named `default` differs. */
export const defaultSettingValues = Object.fromEntries(
  rows.map((row) => [row.field, row.default]),
) as SettingValues;

/** The values that a setting changes (setting-inheritance.ts). */
export type SettingDifferences = Partial<SettingValues>;
/** Schema of an administrator's differences. A field that is missing is inherited. */
export const settingDifferencesSchema = v.strictObject(
  Object.fromEntries(rows.map((row) => [row.field, v.exactOptional(row.schema)])) as unknown as {
    [F in SettingField]: v.ExactOptionalSchema<v.GenericSchema<SettingValues[F]>, undefined>;
  },
);
