/**
 * Parts of the API that agents and administrators share: ids, bounds of plain values, the inventory of a device and its
 * progress in a task.
 *
 * The server validates requests with these schemas and documents them at `/openapi.json`; the client validates
 * answers with the same ones. Bytes travel as base64, times as milliseconds since 1970 (UTC), rates as bit/s.
 */
import * as v from "valibot";
import { mediums } from "../../model/interface.ts";
import { settingValuesSchema } from "../../model/setting.ts";

export const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
export const name = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
export const bytesCount = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
export const counter = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
export const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
/** Others connect to it: an address and no name, which somebody would have to look up. */
export const lanAddress = v.pipe(v.string(), v.maxLength(64), v.ip("it is no IP address"));
export const timeMs = v.pipe(v.number(), v.integer(), v.minValue(0));
export const base64 = (maxBytes: number) =>
  v.pipe(v.string(), v.maxLength(Math.ceil(maxBytes / 3) * 4), v.base64());
/** SHA-256 of the manifest, 64 hex digits. */
export const packageIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a package id is 64 hex digits"));
/** Device ids and subnet identities: 16 hex digits. Tasks: a whole number counted up by the source. */
export const deviceIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "a device id is 16 hex digits"));
export const subnetIdSchema = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{16}$/, "a subnet identity is 16 hex digits"),
);
export const taskIdSchema = v.pipe(v.number(), v.integer(), v.minValue(1));
export const errorSchema = v.object({ error: v.string(), hint: v.optional(v.string()) });
/** One interface of a device as it sees it itself. `group` is "ADDRESS:PORT" when a group was given by hand. */
export const interfaceSchema = v.object({
  name: name(64),
  address: name(64),
  cidr: name(64),
  mac: text(32),
  medium: v.picklist(mediums),
  gatewayMac: v.nullable(text(32)),
  group: text(64),
  /** The interface this agent plays its roles on. */
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
});
export const taskActionSchema = v.picklist(["pre-cache", "run"]);
export const publisherKeySchema = base64(32);
export const deviceTaskStateSchema = v.picklist([
  "pending", // the source has not heard of it yet
  "waiting", // known, not begun: start time, disk, source or web site; the reason says which
  "seeking", // looks for a session, elects
  "downloading", // representative, from the web site and from peers
  "receiving", // peer
  "repairing", // after END: asks peers for the parts it missed
  "verifying", // reads the whole package back from disk
  "running", // executes the command
  "complete",
  "failed",
  "cancelled",
]);
export type DeviceTaskState = v.InferOutput<typeof deviceTaskStateSchema>;
/** Verified bytes by where they came from. */
export const originBytesSchema = v.object({
  wan: bytesCount,
  multicast: bytesCount,
  peers: bytesCount,
  cache: bytesCount,
});
export const commandOutcomeSchema = v.object({
  exitCode: v.nullable(v.number()),
  timedOut: v.boolean(),
  /** The last 4 KiB of standard output and error together. */
  outputTail: text(8_192),
});
/** Addresses named in one report. */
export const wrongSendersMax = 16;
/** Where chunks with a wrong digest came from, and who the device there says it is. */
export const wrongSenderSchema = v.object({
  address: name(64),
  deviceId: v.nullable(deviceIdSchema),
  chunks: counter,
});
export type WrongSender = v.InferOutput<typeof wrongSenderSchema>;
export const progressSchema = v.object({
  taskId: taskIdSchema,
  state: deviceTaskStateSchema,
  role: v.picklist(["none", "candidate", "peer", "representative"]),
  term: counter,
  bytesTotal: bytesCount,
  bytesVerified: bytesCount,
  from: originBytesSchema,
  /** Bytes fetched over HTTP from the web site or the source, whether or not they verified. */
  wanBytesFetched: bytesCount,
  /** Multicast, and given to others by unicast, while its session lasted. */
  lanBytesSent: bytesCount,
  rateBps: bytesCount,
  /** The way its bytes come just now or, once it has all, most of them came; an older agent does not tell. */
  way: v.optional(v.picklist(["none", "multicast", "unicast", "WAN"]), "none"),
  /** One sentence for a person: what it is doing, through which way, and why. */
  reason: text(1_024),
  command: v.nullable(commandOutcomeSchema),
  /** Devices of an earlier version, and what they reported, leave it out. */
  wrongFrom: v.optional(v.pipe(v.array(wrongSenderSchema), v.maxLength(wrongSendersMax)), []),
});
export const settingSchema = v.object({ name: name(64), version: counter, values: settingValuesSchema });
export type Inventory = v.InferOutput<typeof inventorySchema>;
export type OriginBytes = v.InferOutput<typeof originBytesSchema>;
export type CommandOutcome = v.InferOutput<typeof commandOutcomeSchema>;
export type Progress = v.InferOutput<typeof progressSchema>;
export type Setting = v.InferOutput<typeof settingSchema>;
