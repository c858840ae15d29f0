/**
 * Schemas of what the source knows about one device: its history, its cache, and the end of its
 * log. common.ts defines units and encodings.
 */
import * as v from "valibot";
import { deviceEventSchema } from "../../model/device-event.ts";
import { bytesCount, name, packageIdSchema, text, timeMs } from "./common.ts";

/** Upper bound on the packages that a device states about its cache, the last used ones. */
export const cachedPackagesMax = 256;
export const cachedPackageSchema = v.object({
  packageId: packageIdSchema,
  name: name(128),
  version: name(64),
  /** Bytes that are verified on the disk. */
  storedBytes: bytesCount,
  totalBytes: bytesCount,
  complete: v.boolean(),
  /** Clock of the device. */
  lastUsedAtMs: timeMs,
});
export const deviceCacheSchema = v.object({
  /** Time of the check-in, after which reports count; null: the device stated nothing. */
  statedAtMs: v.nullable(timeMs),
  /** The last used ones first. */
  packages: v.array(cachedPackageSchema),
});

/** Upper bound on the events of a device in one answer; the source keeps no more. */
export const deviceEventsMax = 200;
export const deviceHistoryQuerySchema = v.object({
  limit: v.optional(
    v.pipe(v.string(), v.regex(/^[1-9]\d?$|^1\d\d$|^200$/, "a limit is a number from 1 to 200")),
    String(deviceEventsMax),
  ),
});
export const deviceHistorySchema = v.object({
  /** The newest first. */
  events: v.array(v.object({ atMs: timeMs, event: deviceEventSchema })),
});

/** Upper bounds on the end of a log: lines, characters of one, and bytes of all. */
export const logLinesMax = 200;
export const logLineLengthMax = 2_048;
export const logBytesMax = 65_536;
export const logRequestSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "a request is 16 hex digits"));
const linesSchema = v.pipe(v.array(text(logLineLengthMax)), v.maxLength(logLinesMax));
/** Answer of a device to a request for the end of its log. */
export const logAnswerSchema = v.object({
  request: logRequestSchema,
  /** Whether the device's setting keeps its log from being read. It sends no lines then. */
  refused: v.boolean(),
  lines: v.pipe(
    linesSchema,
    v.check(
      (lines) => lines.reduce((sum, line) => sum + line.length, 0) <= logBytesMax,
      `at most ${logBytesMax} characters`,
    ),
  ),
});
export const deviceLogSchema = v.object({
  /**
   * `none`: nobody has asked, or the log was removed; `waiting`: the device sends it at its next
   * contact; `refused`: the device's setting shareLog does not allow it.
   */
  state: v.picklist(["none", "waiting", "taken", "refused"]),
  askedAtMs: v.nullable(timeMs),
  /** Time of the source at which the log arrived. */
  takenAtMs: v.nullable(timeMs),
  /** The source removes the log then. */
  removedAtMs: v.nullable(timeMs),
  lines: linesSchema,
});
export type CachedPackage = v.InferOutput<typeof cachedPackageSchema>;
export type DeviceCache = v.InferOutput<typeof deviceCacheSchema>;
export type DeviceHistory = v.InferOutput<typeof deviceHistorySchema>;
export type LogAnswer = v.InferOutput<typeof logAnswerSchema>;
export type DeviceLog = v.InferOutput<typeof deviceLogSchema>;
