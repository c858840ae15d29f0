/**
 * Schemas that the agents' and the administrators' part of the API share: ids, bounds of plain
 * values, and the inventory and progress of a device.
 *
 * The server validates requests with them and publishes them at `/openapi.json`; the clients
 * validate answers with them. Bytes are sent as base64, times as milliseconds since 1970 (UTC),
 * rates as bit/s.
 */
import * as v from "valibot";
import { hiddenCharacterIn } from "../../hidden-characters.ts";
import { barCodes } from "../../model/enrolment.ts";
import { mediums } from "../../model/interface.ts";
import { packageUrlLengthMax, urlLayouts } from "../../model/package-url.ts";
import { reasonsSchema } from "../../model/reason.ts";

/** Text of any characters, such as a command line or the output of a command. */
export const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
/** Refuses characters that nobody sees, and those that change how other text is shown. */
const isVisible = v.check<string, (issue: { input: string }) => string>(
  (value) => hiddenCharacterIn(value) === null,
  ({ input }) => `it has the hidden character ${hiddenCharacterIn(input)}: leave it out`,
);
/** Text of one line that a device or an administrator states; may be empty. */
export const label = (max: number) => v.pipe(v.string(), v.maxLength(max), isVisible);
/** Name of a host, user, group, interface or other thing: one visible line. */
export const name = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max), isVisible);
export const bytesCount = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
export const counter = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
export const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
/** Address that other devices connect to. A host name is refused: it would need a name server. */
export const lanAddress = v.pipe(v.string(), v.maxLength(64), v.ip("it is not an IP address"));
/** Milliseconds since 1970, up to the year 9999. `Date` can represent times beyond it too. */
export const timeMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(253_402_300_799_999));
/** Milliseconds that a device waits before it asks the source again. */
export const waitMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(3_600_000));
/**
 * Checks the text with native code. The regular expression of `v.base64()` takes half a second for
 * 6 MB, and refuses 20 MB.
 */
const base64Text = Object.assign(v.base64<string>(), {
  requirement: {
    test: (value: string) => Buffer.from(value, "base64").toString("base64") === value,
  } as RegExp,
});
export const base64 = (maxBytes: number) =>
  v.pipe(v.string(), v.maxLength(Math.ceil(maxBytes / 3) * 4), base64Text);
/** SHA-256 of the manifest, 64 hex digits. */
export const packageIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a package id is 64 hex digits"));
export const deviceIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "a device id is 16 hex digits"));
export const subnetIdSchema = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{16}$/, "a subnet identity is 16 hex digits"),
);
/** A web site that has the bytes of a package. */
export const packageUrlSchema = v.object({
  url: name(packageUrlLengthMax),
  layout: v.picklist(urlLayouts),
});
/**
 * Random text of one run of the source, 16 hex digits; empty: not known. A source that was restored
 * from a backup gives an id a second time, under another epoch.
 */
export const epochSchema = v.pipe(v.string(), v.regex(/^([0-9a-f]{16})?$/, "an epoch is 16 hex digits"));
/** Upper bound on the programs of a task's condition. */
const programsMax = 32;
/** Names of programs as the system shows them, such as `EXCEL.EXE`. */
export const programNamesSchema = v.pipe(
  v.array(
    v.pipe(
      name(255),
      v.regex(/^[^/\\,]+$/, "give the name of a program without its folder, such as EXCEL.EXE"),
    ),
  ),
  v.maxLength(programsMax, `at most ${programsMax} programs`),
);
/** Number that the source counts up, from 1. */
export const taskIdSchema = v.pipe(v.number(), v.integer(), v.minValue(1));
export const errorSchema = v.object({
  error: v.string(),
  hint: v.optional(v.string()),
  /** Set for a credential that is barred. A code of a later version is ignored. */
  code: v.optional(v.fallback(v.optional(v.picklist(barCodes)), undefined)),
});
/**
 * One interface of a device, as the device reports it. `group` is "ADDRESS:PORT" if the group was
 * set with `--group`, otherwise empty.
 */
const interfaceSchema = v.object({
  name: name(64),
  address: name(64),
  cidr: name(64),
  mac: label(32),
  medium: v.picklist(mediums),
  gatewayMac: v.nullable(label(32)),
  group: label(64),
  /** Whether the agent uses this interface for the LAN. */
  active: v.boolean(),
});
export const inventorySchema = v.object({
  hostname: name(255),
  os: name(64),
  arch: name(64),
  agentVersion: name(64),
  deviceClass: v.picklist(["server", "desktop", "laptop", "unknown"]),
  onBattery: v.boolean(),
  memoryBytes: bytesCount,
  diskFreeBytes: bytesCount,
  cacheBytes: bytesCount,
  groups: v.pipe(v.array(name(64)), v.maxLength(64)),
  interfaces: v.pipe(v.array(interfaceSchema), v.maxLength(64)),
  /** Offset of the device's clock from UTC; left out by earlier versions. */
  utcOffsetMinutes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(-1_440), v.maxValue(1_440))),
});
export const taskActions = [
  "pre-cache", // fills the cache
  "run", // also runs a command
  "upgrade", // replaces the agent by the executable of the package
  "image", // writes the package's only file to a disk
] as const;
export type TaskAction = (typeof taskActions)[number];
export const taskActionSchema = v.picklist(taskActions);
export const publisherKeySchema = base64(32);
export const deviceTaskStateSchema = v.picklist([
  "pending", // the device has not reported yet
  "waiting", // not started: start time, disk, source or web site; `reasons` names which
  "seeking", // looks for a session or takes part in the election
  "downloading", // representative: downloads from the web site and from peers
  "receiving", // peer: receives chunks
  "repairing", // after END: asks peers for missing chunks
  "verifying", // reads the whole package back from disk
  "ready", // verified; the command waits for its window, a program, its turn or its repetition
  "running", // executes the command
  "reboot-pending", // the command succeeded, and takes effect with the next start of the machine
  "complete",
  "failed",
  "cancelled",
  "superseded", // not run: the device runs a higher version instead
  "expired", // told by the source: the task expired before the device began it
]);
export type DeviceTaskState = v.InferOutput<typeof deviceTaskStateSchema>;
/** States in which a task has ended on a device. */
export const endStates: ReadonlySet<DeviceTaskState> = new Set([
  "reboot-pending",
  "complete",
  "failed",
  "cancelled",
  "superseded",
  "expired",
]);
/** States in which the package is there, and its command, if there is one, has succeeded. */
export const successStates: ReadonlySet<DeviceTaskState> = new Set(["reboot-pending", "complete"]);
/** Verified bytes by origin. */
const originBytesSchema = v.object({
  wan: bytesCount,
  multicast: bytesCount,
  peers: bytesCount,
  cache: bytesCount,
});
export const commandMeanings = [
  "success",
  "already-there", // not run: the package's command `detect` ended with exit code 0
  "reboot-needed", // success that takes effect with the next start of the machine
  "busy", // another installer runs: the command is repeated
  "failed",
  "timed-out",
  "unknown", // the machine was restarted, or the command was killed, before it was stored
] as const;
export type CommandMeaning = (typeof commandMeanings)[number];
/** Result of the command of a task. */
export const commandOutcomeSchema = v.object({
  exitCode: v.nullable(v.number()),
  timedOut: v.boolean(),
  /** Last 4 KiB of standard output and standard error, interleaved. */
  outputTail: text(8_192),
  meaning: v.optional(v.picklist(commandMeanings), "unknown"),
  /** Times that the command was started: several only after the meaning "busy". */
  runs: v.optional(counter, 1),
  /** Clock of the device; null: not known. */
  startedAtMs: v.optional(v.nullable(timeMs), null),
  endedAtMs: v.optional(v.nullable(timeMs), null),
});
export const deliveryWays = ["none", "multicast", "unicast", "WAN"] as const;
/** Upper bound on addresses in one progress report. */
export const wrongSendersMax = 16;
/** An address that sent chunks with a wrong digest, and the device id claimed there, if any. */
const wrongSenderSchema = v.object({
  address: name(64),
  deviceId: v.nullable(deviceIdSchema),
  chunks: counter,
});
export type WrongSender = v.InferOutput<typeof wrongSenderSchema>;
/** Upper bound on devices in one progress report from which the device received. */
export const receivedFromMax = 8;
/** A device that this one received in the session, and ages of the last sign and the last bytes. */
const receivedFromSchema = v.object({
  deviceId: deviceIdSchema,
  /** Verified bytes, by multicast and by unicast. */
  bytes: bytesCount,
  signAgoMs: timeMs,
  /** Null: no bytes. */
  bytesAgoMs: v.nullable(timeMs),
});
export type ReceivedFrom = v.InferOutput<typeof receivedFromSchema>;
export const progressSchema = v.object({
  taskId: taskIdSchema,
  state: deviceTaskStateSchema,
  role: v.picklist(["none", "candidate", "peer", "representative"]),
  term: counter,
  bytesTotal: bytesCount,
  bytesVerified: bytesCount,
  from: originBytesSchema,
  /** Bytes fetched over HTTP from the web site or the source, verified or not. */
  wanBytesFetched: bytesCount,
  /** Bytes sent to other devices by multicast and by unicast, while the session lasted. */
  lanBytesSent: bytesCount,
  rateBps: bytesCount,
  /** Current delivery mode; once complete, the mode of most bytes. Older agents leave it out. */
  way: v.optional(v.picklist(deliveryWays), "none"),
  /** Activity, delivery mode and cause, in the order in which they are shown. */
  reasons: v.optional(reasonsSchema, []),
  command: v.nullable(commandOutcomeSchema),
  // The rest is missing in reports of earlier versions, also in those that the source has stored.
  attempt: v.optional(counter, 1),
  /** Epoch and creation time of the task that is meant: the id alone may be that of another one. */
  epoch: v.optional(epochSchema, ""),
  createdAtMs: v.optional(timeMs, 0),
  /** Representative that the device receives by multicast; null without one. */
  follows: v.optional(v.nullable(deviceIdSchema), null),
  wrongFrom: v.optional(v.pipe(v.array(wrongSenderSchema), v.maxLength(wrongSendersMax)), []),
  /** The devices received last. A holder of a lease that nobody receives loses it. */
  receivedFrom: v.optional(v.pipe(v.array(receivedFromSchema), v.maxLength(receivedFromMax)), []),
});
export type Inventory = v.InferOutput<typeof inventorySchema>;
export type OriginBytes = v.InferOutput<typeof originBytesSchema>;
export type CommandOutcome = v.InferOutput<typeof commandOutcomeSchema>;
export type Progress = v.InferOutput<typeof progressSchema>;
