/**
 * Webhooks: the events that the source sends to a web address, and the signature by which the
 * receiver knows the source. Pure.
 */
import { createHmac } from "node:crypto";

export const webhookEvents = ["task.ended", "task.cancelled", "device.failed"] as const;
export type WebhookEvent = (typeof webhookEvents)[number];

/** Webhooks of a source. */
export const webhooksMax = 20;
/** Deliveries that wait for one webhook; further events are dropped and counted. */
export const webhookQueueMax = 1_000;

/**
 * Returns the value of the signature header: HMAC-SHA256, under the secret's text, of
 * `TIMESTAMP.BODY`. A receiver refuses old timestamps, so that a recorded request has no effect.
 * @param timestampSeconds time of the request, seconds since 1970
 */
export const webhookSignature = (secret: string, timestampSeconds: number, body: string): string =>
  `v1=${createHmac("sha256", secret).update(`${timestampSeconds}.${body}`).digest("hex")}`;
