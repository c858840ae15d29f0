/** Schemas of the HTTP bodies between the source and its administrators that are about webhooks. */
import * as v from "valibot";
import { labelNameSchema } from "../../model/label-name.ts";
import { webhookEvents } from "../../model/webhook.ts";
import { counter, name, text, timeMs } from "./common.ts";

const eventsSchema = v.pipe(
  v.array(v.picklist(webhookEvents)),
  v.minLength(1, `name at least one event: ${webhookEvents.join(", ")}`),
  v.maxLength(webhookEvents.length),
);

export const webhookSchema = v.object({
  /** 16 hex digits. */
  id: v.string(),
  name: v.string(),
  url: v.string(),
  events: v.array(v.picklist(webhookEvents)),
  createdAtMs: timeMs,
  createdBy: v.string(),
  /** Deliveries that wait. */
  queued: counter,
  /** Events that were given up, because the queue was full or the receiver failed for a day. */
  dropped: counter,
  lastSuccessAtMs: v.nullable(timeMs),
  lastFailureAtMs: v.nullable(timeMs),
  /** Why the last failed attempt failed. */
  lastFailure: v.nullable(v.string()),
});
export const webhookListSchema = v.object({ webhooks: v.array(webhookSchema) });
export const webhookCreateSchema = v.strictObject({
  name: labelNameSchema,
  url: text(2_048),
  events: v.optional(eventsSchema, [...webhookEvents]),
});
/** The only answer that has the secret. */
export const webhookCreatedSchema = v.object({ webhook: webhookSchema, secret: v.string() });
/** Text that finds a webhook: its id or its name. */
export const webhookWordsSchema = v.object({ webhook: name(256) });
/** Result of a test: the status of the receiver's answer, or why there is none. */
export const webhookTestedSchema = v.object({
  ok: v.boolean(),
  status: v.nullable(counter),
  problem: v.nullable(v.string()),
});

export type Webhook = v.InferOutput<typeof webhookSchema>;
export type WebhookCreate = v.InferInput<typeof webhookCreateSchema>;
export type WebhookCreated = v.InferOutput<typeof webhookCreatedSchema>;
export type WebhookTested = v.InferOutput<typeof webhookTestedSchema>;
