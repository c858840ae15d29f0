/** The part of the administrator's client about webhooks. */
import { ask, type Connection } from "./request.ts";
import {
  webhookCreatedSchema,
  webhookListSchema,
  webhookSchema,
  webhookTestedSchema,
  type Webhook,
  type WebhookCreate,
  type WebhookCreated,
  type WebhookTested,
} from "./schema/webhooks.ts";

export type WebhookClient = {
  webhooks(): Promise<Webhook[]>;
  addWebhook(webhook: WebhookCreate): Promise<WebhookCreated>;
  /** @param words id or name */
  removeWebhook(words: string): Promise<Webhook>;
  /** Sends a test now. @param words id or name */
  testWebhook(words: string): Promise<WebhookTested>;
};

const pathOf = (words: string): string => `/v1/webhooks/${encodeURIComponent(words)}`;

export const webhookClient = (connection: Connection): WebhookClient => ({
  webhooks: async () => (await ask(connection, "GET", "/v1/webhooks", webhookListSchema)).webhooks,
  addWebhook: (json) => ask(connection, "POST", "/v1/webhooks", webhookCreatedSchema, { json }),
  removeWebhook: (words) => ask(connection, "DELETE", pathOf(words), webhookSchema),
  testWebhook: (words) => ask(connection, "POST", `${pathOf(words)}/test`, webhookTestedSchema),
});
