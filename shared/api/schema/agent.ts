/**
 * Schemas of the HTTP bodies between the source and its agents. common.ts defines units and
 * encodings.
 */
import * as v from "valibot";
import { packageUrlsMax } from "../../model/package-url.ts";
import { packedManifestBytesMax } from "../packed-manifest.ts";
import { imageOrderSchema } from "../../model/image-order.ts";
import { settingDepthMax } from "../../model/setting-inheritance.ts";
import { settingValuesSchema } from "../../model/setting.ts";
import { wakeRefusals, wakesPerMinute } from "../../model/wake-on-lan.ts";
import {
  base64,
  bytesCount,
  counter,
  deviceIdSchema,
  epochSchema,
  inventorySchema,
  lanAddress,
  name,
  packageIdSchema,
  packageUrlSchema,
  port,
  programNamesSchema,
  progressSchema,
  publisherKeySchema,
  subnetIdSchema,
  taskActionSchema,
  taskIdSchema,
  text,
  timeMs,
  waitMs,
} from "./common.ts";
import { cachedPackageSchema, cachedPackagesMax, logRequestSchema } from "./device-detail.ts";
import { sourceUrlSchema } from "./identity.ts";
import { signedSchema, trustFilesMax } from "../../model/trust/index.ts";

/** Sequence of an order: milliseconds since 1970. */
const sequence = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const instance = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "an instance is 16 hex digits"));
const enrollEntries = {
  hostname: name(255),
  os: name(64),
  arch: name(64),
  agentVersion: name(64),
  /** Digest of the machine and the data folder, for this deployment only. */
  machine: v.optional(
    v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a machine is 64 hex digits"))),
    null,
  ),
};
export const enrollRequestSchema = v.object({
  token: name(512),
  ...enrollEntries,
  /** Random number of this start of the agent, 16 hex digits. */
  instance: v.optional(v.nullable(instance), null),
});
/** A machine that only gets an image, and has no token: it waits for an approval. */
export const enrollPendingRequestSchema = v.object({
  ...enrollEntries,
  instance: v.optional(v.nullable(instance), null),
});
export const enrollCloneRequestSchema = v.object({ ...enrollEntries, instance });
export const enrollResponseSchema = v.object({
  deviceId: deviceIdSchema,
  credential: name(256),
  /** Sent in every LAN frame, so that devices of another deployment on the same LAN ignore it. */
  deployment: counter,
});
const settingVersionSchema = v.object({ name: name(64), version: counter });
/** A setting with its inherited values, as a device uses it. */
export const agentSettingSchema = v.object({
  ...settingVersionSchema.entries,
  /** Settings that it inherits from, from the parent to `default`. */
  parents: v.optional(v.pipe(v.array(settingVersionSchema), v.maxLength(settingDepthMax)), []),
  values: settingValuesSchema,
});
/** A task as the device keeps it. */
export const agentTaskSchema = v.object({
  id: taskIdSchema,
  packageId: packageIdSchema,
  packageName: name(128),
  packageVersion: name(64),
  action: taskActionSchema,
  /** Epoch in which the source created the task: ids repeat in another one. */
  epoch: v.optional(epochSchema, ""),
  /**
   * By the source's clock; 0: not known. Tells two tasks of one id and epoch apart, which a copy of
   * a running machine may create.
   */
  createdAtMs: v.optional(timeMs, 0),
  /** Sequence of the order that the device obeys; 0: not known. */
  sequence: v.optional(sequence, 0),
  /** Command line for the system's shell. */
  command: v.nullable(text(8_192)),
  /** Name of a command of the package. A task that runs has either `run` or `command`. */
  run: v.optional(v.nullable(name(32)), null),
  startAtMs: timeMs,
  /** Whether `startAtMs` is a time of each device's own clock, written as if it were UTC. */
  startIsLocal: v.optional(v.boolean(), false),
  /** From this time on the command waits for no window, program or user; null: never. */
  deadlineAtMs: v.optional(v.nullable(timeMs), null),
  /** The command does not begin while one of these programs runs. */
  notWhile: v.optional(programNamesSchema, []),
  /** Task whose command has to succeed on the device before the command of this one runs. */
  after: v.optional(v.nullable(taskIdSchema), null),
  /** Epoch of the task `after`. */
  afterEpoch: v.optional(epochSchema, ""),
  /** The device does not begin the task from this time on; null: no limit. */
  expiresAtMs: v.optional(v.nullable(timeMs), null),
  /** A device runs an attempt of a task at most once. A higher one opens an ended task again. */
  attempt: v.optional(counter, 1),
  /** No download, multicast or command until the administrator resumes the task. */
  paused: v.optional(v.boolean(), false),
  /** Whether the command may run after that of a higher version of the package. */
  allowDowngrade: v.optional(v.boolean(), false),
  /** Disk of a task that writes an image; null: another action. */
  image: v.optional(v.nullable(imageOrderSchema), null),
  /** 16 bytes; seals the frames of this task's session. Empty in the row of an ended task. */
  taskKey: base64(16),
  /**
   * 16 bytes; seals the LAN exchange between holders of the package, across tasks, in the current
   * epoch. Empty in the row of an ended task.
   */
  packageKey: base64(16),
  /** Key of the epoch before, while it is valid; null: it is not. */
  packageKeyBefore: v.optional(v.nullable(base64(16)), null),
  setting: agentSettingSchema,
  /** Whether the task names the setting; false: it is the device's own one. */
  overrides: v.optional(v.boolean(), false),
});
/**
 * A task as a check-in answer states it. The device takes what the order states, and from the
 * source only what stops the task, its attempt, and the keys of the LAN.
 */
export const assignedTaskSchema = v.object({
  id: taskIdSchema,
  order: signedSchema,
  attempt: agentTaskSchema.entries.attempt,
  paused: agentTaskSchema.entries.paused,
  taskKey: agentTaskSchema.entries.taskKey,
  packageKey: agentTaskSchema.entries.packageKey,
  packageKeyBefore: agentTaskSchema.entries.packageKeyBefore,
});
/** Keys of a package that the device has, and whose task it has completed. */
export const packageKeysSchema = v.object({
  packageId: packageIdSchema,
  packageKey: base64(16),
  packageKeyBefore: v.nullable(base64(16)),
});
/** Upper bound on the packages that a check-in states; the last used ones come first. */
export const statedPackagesMax = 256;
export const checkInRequestSchema = v.object({
  inventory: inventorySchema,
  /** Tasks that have ended on the device, and whose session it still leads for others. */
  serving: v.optional(v.pipe(v.array(taskIdSchema), v.maxLength(256)), []),
  /** TCP port of the device's LAN exchange; 0: it serves nothing. */
  lanPort: v.optional(port, 0),
  /** Random number of this start of the agent, 16 hex digits. */
  instance: v.optional(instance),
  /** Packages that are complete in the cache. */
  packages: v.optional(v.pipe(v.array(packageIdSchema), v.maxLength(statedPackagesMax)), []),
  /** Packages in the cache with their sizes, also those that are not complete. */
  cached: v.optional(v.pipe(v.array(cachedPackageSchema), v.maxLength(cachedPackagesMax)), []),
  /** Own setting that the device uses; null: none yet. */
  setting: v.optional(v.nullable(settingVersionSchema), null),
  /** Version of the trust file that the device has, and sequence of its assignments; 0: none. */
  trust: v.optional(v.object({ version: counter, assignments: sequence }), { version: 0, assignments: 0 }),
});
export const trustFilesSchema = v.pipe(v.array(signedSchema), v.maxLength(trustFilesMax));
/** A device gives newer versions of the trust file back to a source that was restored. */
export const handBackSchema = v.object({ files: trustFilesSchema });
export const probeIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "a probe id is 16 hex digits"));
/**
 * A device of another subnet that may be on this LAN. Both get the secret, prove it to each other
 * over the LAN exchange, and confirm the probe.
 */
const probeSchema = v.object({
  id: probeIdSchema,
  /** 16 bytes. */
  secret: base64(16),
  deviceId: deviceIdSchema,
  address: lanAddress,
  lanPort: port,
});
export const wakeIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "a wake id is 16 hex digits"));
const macText = v.pipe(v.string(), v.maxLength(32));
const macsSchema = v.pipe(v.array(macText), v.maxLength(wakesPerMinute));
/** Machines of the device's own subnet to wake. The device decides which ones it wakes. */
const wakeRequestSchema = v.object({ id: wakeIdSchema, macs: macsSchema });
/** The MAC addresses that a device has woken for a request, and why it left others out. */
export const wakeResultSchema = v.object({
  id: wakeIdSchema,
  sent: macsSchema,
  refused: v.nullable(v.picklist(wakeRefusals)),
});
/** `suspended`: tags do not count until an approval; `waiting`: no task comes until one. */
export const approvalStates = ["active", "suspended", "waiting"] as const;
export type Approval = (typeof approvalStates)[number];
export const checkInResponseSchema = v.object({
  sourceTimeMs: timeMs,
  /** Identity of the active interface's subnet; null if the inventory has no active interface. */
  subnetId: v.nullable(subnetIdSchema),
  trust: v.object({
    /** Newest version at the source. */
    version: counter,
    /** Versions that the device does not have. */
    files: trustFilesSchema,
    freshness: v.nullable(signedSchema),
  }),
  /** Name of the device's own setting: for all outside tasks, and for tasks that name none. */
  ownSetting: v.object({ name: name(64) }),
  /** Orders of this setting, of those that the tasks name, and of their parents, each once. */
  settings: v.pipe(v.array(signedSchema), v.maxLength(1_000)),
  /** The assignments of settings, if the device has older ones; null: nothing newer. */
  assignments: v.nullable(signedSchema),
  /**
   * Every open task of this device that no other one supersedes, and that the device has not
   * completed or still serves. The device drops any other task.
   */
  tasks: v.array(assignedTaskSchema),
  /** Cancelled tasks whose running command the device ends. */
  killed: v.optional(v.array(taskIdSchema), []),
  /** Tasks of the list whose command this device has begun, by its reports of the attempt. */
  begun: v.optional(v.array(taskIdSchema), []),
  probes: v.optional(v.array(probeSchema), []),
  /** Requests to wake machines of the subnet that the device has not answered yet. */
  wakes: v.optional(v.pipe(v.array(wakeRequestSchema), v.maxLength(16)), []),
  /** Keys of those of the stated packages that the device was given before. */
  packageKeys: v.optional(v.pipe(v.array(packageKeysSchema), v.maxLength(statedPackagesMax)), []),
  /** Request for the end of the device's log, which it sends once; null: there is none. */
  logRequest: v.optional(v.nullable(logRequestSchema), null),
  /** Address to which the source moves; null: no move is announced. */
  announcedUrl: v.optional(v.nullable(sourceUrlSchema), null),
  /** Whether the device waits for an administrator's approval, and what it gets until then. */
  approval: v.optional(v.picklist(approvalStates), "active"),
});
export const neighbourSchema = v.object({ probe: probeIdSchema });
export const manifestResponseSchema = v.object({
  manifest: base64(16 * 1_048_576),
  signature: base64(64),
  publisherKey: publisherKeySchema,
});
/** Upper bound on the number of attempts that a device states; more attempts state this number. */
export const manifestAttemptsMax = 1_000;
/** WAN bytes that made no chunk verified on the device, in all its requests of the task. */
const uselessBytes = v.optional(bytesCount, 0);
/** Epoch of the task: the id alone may be that of another one. */
const taskEpoch = v.optional(epochSchema, "");
export const manifestRequestSchema = v.object({
  taskId: taskIdSchema,
  epoch: taskEpoch,
  /** Null on no subnet: the source then sends the manifest. */
  subnetId: v.nullable(subnetIdSchema),
  /** LAN address and TCP port of the exchange of the requesting device. */
  address: lanAddress,
  lanPort: port,
  /** Times that the device has asked before, and could not get the manifest from the holders. */
  attempt: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(manifestAttemptsMax)),
});
export const manifestAnswerSchema = v.variant("result", [
  /** The packed manifest (packed-manifest.ts). */
  v.object({ result: v.literal("granted"), packed: base64(packedManifestBytesMax) }),
  /** Devices of the subnet that have the manifest, or fetch it. */
  v.object({
    result: v.literal("elsewhere"),
    holders: v.pipe(
      v.array(v.object({ deviceId: deviceIdSchema, address: lanAddress, lanPort: port })),
      v.maxLength(16),
    ),
  }),
]);
export const leaseRequestSchema = v.object({
  taskId: taskIdSchema,
  epoch: taskEpoch,
  subnetId: subnetIdSchema,
  /** LAN address and TCP port of the exchange of the requesting device. */
  address: lanAddress,
  lanPort: port,
  term: counter,
  /** Asks for the holder only. Sent by a device that may never become a representative. */
  query: v.optional(v.boolean()),
  /** Asks for `present`. Sent before the multicast starts. */
  starting: v.optional(v.boolean()),
  uselessBytes,
});
const leaseHolderSchema = v.object({
  deviceId: deviceIdSchema,
  address: lanAddress,
  lanPort: port,
  term: counter,
});
/** Parts of an answer that grants the right to download. */
const downloadGrantEntries = {
  /** Useless bytes that the device may spend in addition to those of its request. */
  uselessBytesLeft: bytesCount,
  /** Web sites in the order to try. */
  urls: v.pipe(v.array(packageUrlSchema), v.maxLength(packageUrlsMax)),
  /** Whether the source has a copy, which is the last to try. */
  atSource: v.boolean(),
};
export const leaseResponseSchema = v.variant("result", [
  v.object({
    result: v.literal("granted"),
    expiresInMs: waitMs,
    term: counter,
    /** The previous holder, if it was another device: that device may hold the package. */
    before: v.optional(v.nullable(leaseHolderSchema), null),
    /** Other connected devices of the subnet that the task targets and has not ended on. */
    present: v.optional(counter),
    ...downloadGrantEntries,
  }),
  v.object({ result: v.literal("refused"), holder: leaseHolderSchema, retryAfterMs: waitMs }),
  /** Answers a query while no device holds the lease. */
  v.object({ result: v.literal("free"), retryAfterMs: waitMs }),
  /** Too many devices of the subnet failed as representative; do not ask before `retryAfterMs`. */
  v.object({ result: v.literal("failed"), reason: text(1_024), retryAfterMs: waitMs }),
  /** The term is too far above the one that the source knows: ask again with at most `termMax`. */
  v.object({ result: v.literal("term-too-high"), termMax: counter }),
]);
export const leaseReleaseSchema = v.object({
  taskId: taskIdSchema,
  epoch: taskEpoch,
  subnetId: subnetIdSchema,
  /** Why this representative failed; null if the work is done or another device does it. */
  failure: v.nullable(text(1_024)),
  uselessBytes,
});
export const fallbackRequestSchema = v.object({
  taskId: taskIdSchema,
  epoch: taskEpoch,
  subnetId: subnetIdSchema,
  /** Returns the token instead of requesting it. */
  release: v.optional(v.boolean()),
  uselessBytes,
});
export const fallbackResponseSchema = v.variant("result", [
  v.object({ result: v.literal("granted"), expiresInMs: waitMs, ...downloadGrantEntries }),
  v.object({ result: v.literal("refused"), retryAfterMs: waitMs }),
]);
export const progressRequestSchema = v.object({ reports: v.pipe(v.array(progressSchema), v.maxLength(256)) });
export type EnrollRequest = v.InferInput<typeof enrollRequestSchema>;
export type EnrollPendingRequest = v.InferInput<typeof enrollPendingRequestSchema>;
export type EnrollCloneRequest = v.InferInput<typeof enrollCloneRequestSchema>;
export type EnrollResponse = v.InferOutput<typeof enrollResponseSchema>;
export type AgentSetting = v.InferOutput<typeof agentSettingSchema>;
export type AssignedTask = v.InferOutput<typeof assignedTaskSchema>;
export type AgentTask = v.InferOutput<typeof agentTaskSchema>;
export type WakeRequest = v.InferOutput<typeof wakeRequestSchema>;
export type WakeResult = v.InferOutput<typeof wakeResultSchema>;
export type Probe = v.InferOutput<typeof probeSchema>;
export type CheckInRequest = v.InferInput<typeof checkInRequestSchema>;
export type CheckInResponse = v.InferOutput<typeof checkInResponseSchema>;
export type ManifestRequest = v.InferOutput<typeof manifestRequestSchema>;
export type ManifestAnswer = v.InferOutput<typeof manifestAnswerSchema>;
export type LeaseRequest = v.InferOutput<typeof leaseRequestSchema>;
export type LeaseResponse = v.InferOutput<typeof leaseResponseSchema>;
export type LeaseRelease = v.InferOutput<typeof leaseReleaseSchema>;
export type FallbackRequest = v.InferOutput<typeof fallbackRequestSchema>;
export type FallbackResponse = v.InferOutput<typeof fallbackResponseSchema>;
