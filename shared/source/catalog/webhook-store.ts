/** Interface of the store of webhooks and of their queue, which survives a restart. */
import type { WebhookEvent } from "../../model/webhook.ts";

export type WebhookRecord = {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  /** Key of the signatures. */
  readonly secret: string;
  readonly events: readonly WebhookEvent[];
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly queued: number;
  readonly dropped: number;
  readonly lastSuccessAtMs: number | null;
  readonly lastFailureAtMs: number | null;
  readonly lastFailure: string | null;
};
export type NewWebhook = Pick<
  WebhookRecord,
  "id" | "name" | "url" | "secret" | "events" | "createdAtMs" | "createdBy"
>;

/** An event that waits. Triggers of the catalog queue it in the transaction of its change. */
export type Delivery = {
  /** Grows with each event, and is not used again. */
  readonly id: number;
  readonly event: WebhookEvent;
  readonly atMs: number;
  /** JSON text: the data of the event, as it was then. */
  readonly data: string;
  /** Attempts that failed. */
  readonly attempts: number;
};

/** Outcome of an attempt. */
export type Attempt =
  | { readonly result: "delivered" }
  | { readonly result: "failed"; readonly why: string; readonly dueAtMs: number }
  | { readonly result: "dropped"; readonly why: string };

export interface WebhookStore {
  /** Returns all webhooks, by name. */
  list(): Promise<WebhookRecord[]>;
  /** @param words id or name */
  named(words: string): Promise<WebhookRecord | null>;
  /** @returns whether the name was free */
  add(webhook: NewWebhook): Promise<boolean>;
  /** Removes a webhook and its queue. */
  remove(id: string): Promise<void>;
  /** Returns the oldest deliveries, none before the first of them is due. */
  due(webhookId: string, nowMs: number, limit: number): Promise<Delivery[]>;
  /** Notes an attempt of a delivery; null: of a test. */
  note(webhookId: string, deliveryId: number | null, attempt: Attempt, atMs: number): Promise<void>;
  /** Returns the deliveries that wait, of all webhooks. */
  waiting(): Promise<number>;
}
