/**
 * The API between the source, its agents and its administrators: every body that crosses HTTP, once.
 *
 * The server validates requests with these schemas and documents them at `/openapi.json`; the client validates
 * answers with the same ones. Bytes travel as base64, times as milliseconds since 1970 (UTC), rates as bit/s.
 */
import * as v from "valibot";
import { settingValuesSchema } from "./setting.ts";

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
const name = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const bytesCount = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const counter = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
/** Others connect to it: an address and no name, which somebody would have to look up. */
const lanAddress = v.pipe(v.string(), v.maxLength(64), v.ip("it is no IP address"));
const timeMs = v.pipe(v.number(), v.integer(), v.minValue(0));
const base64 = (maxBytes: number) => v.pipe(v.string(), v.maxLength(Math.ceil(maxBytes / 3) * 4), v.base64());

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

// ---- agents --------------------------------------------------------------------------------------------------

export const enrollRequestSchema = v.object({
  token: name(512),
  hostname: name(255),
  os: name(64),
  arch: name(64),
  agentVersion: name(64),
});
export const enrollResponseSchema = v.object({
  deviceId: deviceIdSchema,
  credential: name(256),
  /** In every LAN frame: devices of another deployment on the same wire do not answer. */
  deployment: counter,
});

/** One interface of a device as it sees it itself. `group` is "ADDRESS:PORT" when a group was given by hand. */
export const interfaceSchema = v.object({
  name: name(64),
  address: name(64),
  cidr: name(64),
  mac: text(32),
  medium: v.picklist(["loopback", "wired", "wireless", "vpn", "virtual", "unknown"]),
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
export const agentTaskSchema = v.object({
  id: taskIdSchema,
  packageId: packageIdSchema,
  packageName: name(128),
  packageVersion: name(64),
  action: taskActionSchema,
  command: v.nullable(text(8_192)),
  startAtMs: timeMs,
  /** 16 bytes: seals the frames of this task's session. */
  taskKey: base64(16),
  /** 16 bytes: seals what holders of the package, from whatever task, exchange about it. */
  packageKey: base64(16),
  setting: v.object({ name: name(64), version: counter, values: settingValuesSchema }),
});
export const publisherKeySchema = base64(32);
export const checkInRequestSchema = v.object({ inventory: inventorySchema });
export const checkInResponseSchema = v.object({
  sourceTimeMs: timeMs,
  /** Identity of the subnet of the active interface; null when the inventory has none. */
  subnetId: v.nullable(subnetIdSchema),
  publisherKeys: v.array(publisherKeySchema),
  defaultSetting: v.object({ name: name(64), version: counter, values: settingValuesSchema }),
  /** Every task of this device that is neither cancelled nor done by it. A task that is missing here is to be dropped. */
  tasks: v.array(agentTaskSchema),
});

export const manifestResponseSchema = v.object({
  manifest: base64(16 * 1_048_576),
  signature: base64(64),
  publisherKey: publisherKeySchema,
});

export const leaseRequestSchema = v.object({
  taskId: taskIdSchema,
  subnetId: subnetIdSchema,
  /** Where peers reach the asking device: LAN address and TCP port of its exchange. */
  address: lanAddress,
  lanPort: port,
  term: counter,
  /** Only asks who holds it: for a device that may never be a representative. */
  query: v.optional(v.boolean()),
});
export const leaseHolderSchema = v.object({
  deviceId: deviceIdSchema,
  address: lanAddress,
  lanPort: port,
  term: counter,
});
export const leaseResponseSchema = v.variant("result", [
  v.object({
    result: v.literal("granted"),
    expiresInMs: timeMs,
    term: counter,
    /** The last other device that held it: it may hold the package. */
    before: v.optional(v.nullable(leaseHolderSchema), null),
  }),
  v.object({ result: v.literal("refused"), holder: leaseHolderSchema, retryAfterMs: timeMs }),
  /** The answer to a query while nobody holds it. */
  v.object({ result: v.literal("free"), retryAfterMs: timeMs }),
  /** Several representatives failed alike: do not ask again before `retryAfterMs`. */
  v.object({ result: v.literal("failed"), reason: text(1_024), retryAfterMs: timeMs }),
]);
export const leaseReleaseSchema = v.object({
  taskId: taskIdSchema,
  subnetId: subnetIdSchema,
  /** Null: the work is done or somebody else's. Otherwise why this representative could not do it. */
  failure: v.nullable(text(1_024)),
});

export const fallbackRequestSchema = v.object({
  taskId: taskIdSchema,
  subnetId: subnetIdSchema,
  /** Gives the token back. */
  release: v.optional(v.boolean()),
});
export const fallbackResponseSchema = v.variant("result", [
  v.object({ result: v.literal("granted"), expiresInMs: timeMs }),
  v.object({ result: v.literal("refused"), retryAfterMs: timeMs }),
]);

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
export const progressRequestSchema = v.object({ reports: v.pipe(v.array(progressSchema), v.maxLength(256)) });

// ---- administrators ------------------------------------------------------------------------------------------

export const publishRequestSchema = v.object({
  manifest: base64(16 * 1_048_576),
  signature: base64(64),
  publisherKey: publisherKeySchema,
});
export const publishResponseSchema = v.object({ packageId: packageIdSchema, contentNeeded: v.boolean() });
export const packageSchema = v.object({
  id: packageIdSchema,
  name: name(128),
  version: name(64),
  sizeBytes: bytesCount,
  fileCount: counter,
  chunkSizeBytes: bytesCount,
  /** Null: the source itself serves the bytes. */
  url: v.nullable(v.string()),
  /** "ready", or "uploading" while the source still lacks the bytes. */
  state: v.picklist(["uploading", "ready"]),
  publishedAtMs: timeMs,
});

/** `all`, `device:ID`, `subnet:CIDR` or `group:NAME`. */
export const targetSchema = v.pipe(
  v.string(),
  v.maxLength(256),
  v.regex(
    /^(all|device:[0-9a-f]{16}|subnet:[0-9a-fA-F.:]+\/\d{1,3}|group:[\w.-]{1,64})$/,
    "write all, device:ID, subnet:CIDR or group:NAME",
  ),
);
export const taskCreateSchema = v.object({
  /** A package id, or "NAME" (its newest version) or "NAME@VERSION". */
  package: name(256),
  action: taskActionSchema,
  command: v.nullable(text(8_192)),
  setting: v.nullable(name(64)),
  target: targetSchema,
  startAtMs: v.nullable(timeMs),
});
export const taskCreatedSchema = v.object({ taskId: taskIdSchema });
export const taskSummarySchema = v.object({
  id: taskIdSchema,
  packageId: packageIdSchema,
  packageName: name(128),
  packageVersion: name(64),
  packageBytes: bytesCount,
  action: taskActionSchema,
  command: v.nullable(v.string()),
  setting: v.string(),
  target: v.string(),
  state: v.picklist(["active", "cancelled"]),
  createdAtMs: timeMs,
  startAtMs: timeMs,
  devices: v.object({ total: counter, complete: counter, failed: counter }),
});
/** One device's part in a task, as the source knows it. */
export const taskDeviceSchema = v.object({
  deviceId: deviceIdSchema,
  hostname: v.string(),
  subnetId: v.nullable(subnetIdSchema),
  updatedAtMs: timeMs,
  ...v.omit(progressSchema, ["taskId"]).entries,
});
export const taskSubnetSchema = v.object({
  subnetId: v.nullable(subnetIdSchema),
  cidr: v.string(),
  representative: v.nullable(v.object({ deviceId: deviceIdSchema, hostname: v.string(), term: counter })),
  /** What its representative does or, without one, what most of its unfinished devices do. */
  state: deviceTaskStateSchema,
  devices: counter,
  complete: counter,
  failed: counter,
  bytesVerified: bytesCount,
  bytesTotal: bytesCount,
  /** Sum of what its unfinished devices reported. */
  rateBps: bytesCount,
  /** Package bytes that left the source or, for another web site, that devices reported. */
  wanBytes: bytesCount,
  lanBytes: bytesCount,
});
export const taskDetailSchema = v.object({
  ...taskSummarySchema.entries,
  subnets: v.array(taskSubnetSchema),
  deviceList: v.array(taskDeviceSchema),
});
export const settingSchema = v.object({ name: name(64), version: counter, values: settingValuesSchema });
export const settingPutSchema = v.object({ values: v.strictObject(settingValuesSchema.entries) });
export const deviceSchema = v.object({
  id: deviceIdSchema,
  hostname: v.string(),
  subnetId: v.nullable(subnetIdSchema),
  enrolledAtMs: timeMs,
  lastSeenAtMs: timeMs,
  connected: v.boolean(),
  inventory: v.nullable(inventorySchema),
});
export const subnetSchema = v.object({
  id: subnetIdSchema,
  cidr: v.string(),
  site: v.string(),
  devices: counter,
  connected: counter,
});

export const packageListSchema = v.object({ packages: v.array(packageSchema) });
export const taskListSchema = v.object({ tasks: v.array(taskSummarySchema) });
export const settingListSchema = v.object({ settings: v.array(settingSchema) });
export const deviceListSchema = v.object({ devices: v.array(deviceSchema) });
export const subnetListSchema = v.object({ subnets: v.array(subnetSchema) });
/** Which devices a task's detail lists: all, or only those that failed (what watching a large task needs). */
export const taskDetailQuerySchema = v.object({ devices: v.optional(v.picklist(["all", "failed"]), "all") });
export const settingNameSchema = v.pipe(
  v.string(),
  v.regex(/^[\w.-]{1,64}$/, "a setting's name is 1 to 64 letters, digits, dots, dashes or underscores"),
);
/** Answers that carry nothing but "it is done". */
export const doneSchema = v.object({ ok: v.literal(true) });
export const healthSchema = v.object({ ok: v.literal(true), version: v.string(), deployment: counter });

export type PublishRequest = v.InferOutput<typeof publishRequestSchema>;
export type PublishResponse = v.InferOutput<typeof publishResponseSchema>;
export type EnrollRequest = v.InferOutput<typeof enrollRequestSchema>;
export type EnrollResponse = v.InferOutput<typeof enrollResponseSchema>;
export type DeviceInterface = v.InferOutput<typeof interfaceSchema>;
export type Inventory = v.InferOutput<typeof inventorySchema>;
export type AgentTask = v.InferOutput<typeof agentTaskSchema>;
export type CheckInResponse = v.InferOutput<typeof checkInResponseSchema>;
export type LeaseRequest = v.InferOutput<typeof leaseRequestSchema>;
export type LeaseResponse = v.InferOutput<typeof leaseResponseSchema>;
export type LeaseHolder = v.InferOutput<typeof leaseHolderSchema>;
export type LeaseRelease = v.InferOutput<typeof leaseReleaseSchema>;
export type FallbackRequest = v.InferOutput<typeof fallbackRequestSchema>;
export type FallbackResponse = v.InferOutput<typeof fallbackResponseSchema>;
export type OriginBytes = v.InferOutput<typeof originBytesSchema>;
export type CommandOutcome = v.InferOutput<typeof commandOutcomeSchema>;
export type Progress = v.InferOutput<typeof progressSchema>;
export type PublishedPackage = v.InferOutput<typeof packageSchema>;
export type TaskCreate = v.InferOutput<typeof taskCreateSchema>;
export type TaskSummary = v.InferOutput<typeof taskSummarySchema>;
export type TaskDevice = v.InferOutput<typeof taskDeviceSchema>;
export type TaskSubnet = v.InferOutput<typeof taskSubnetSchema>;
export type TaskDetail = v.InferOutput<typeof taskDetailSchema>;
export type Setting = v.InferOutput<typeof settingSchema>;
export type Device = v.InferOutput<typeof deviceSchema>;
export type Subnet = v.InferOutput<typeof subnetSchema>;
