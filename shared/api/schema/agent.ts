/** Bodies that cross HTTP between the source and its agents. Units and encodings: common.ts. */
import * as v from "valibot";
import { settingValuesSchema } from "../../model/setting.ts";
import {
  base64,
  counter,
  deviceIdSchema,
  inventorySchema,
  lanAddress,
  name,
  packageIdSchema,
  port,
  progressSchema,
  publisherKeySchema,
  subnetIdSchema,
  taskActionSchema,
  taskIdSchema,
  text,
  timeMs,
} from "./common.ts";

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
export const progressRequestSchema = v.object({ reports: v.pipe(v.array(progressSchema), v.maxLength(256)) });
export type EnrollRequest = v.InferOutput<typeof enrollRequestSchema>;
export type EnrollResponse = v.InferOutput<typeof enrollResponseSchema>;
export type AgentTask = v.InferOutput<typeof agentTaskSchema>;
export type CheckInResponse = v.InferOutput<typeof checkInResponseSchema>;
export type LeaseRequest = v.InferOutput<typeof leaseRequestSchema>;
export type LeaseResponse = v.InferOutput<typeof leaseResponseSchema>;
export type LeaseRelease = v.InferOutput<typeof leaseReleaseSchema>;
export type FallbackRequest = v.InferOutput<typeof fallbackRequestSchema>;
export type FallbackResponse = v.InferOutput<typeof fallbackResponseSchema>;
