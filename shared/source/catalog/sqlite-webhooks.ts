/** Store of webhooks in SQLite: webhook-store.ts. Their triggers: webhooks-step.ts. */
import type { Database } from "bun:sqlite";
import type { WebhookEvent } from "../../model/webhook.ts";
import type { Attempt, Delivery, WebhookRecord, WebhookStore } from "./webhook-store.ts";

type Row = {
  id: string;
  name: string;
  url: string;
  secret: string;
  events: string;
  created_at_ms: number;
  created_by: string;
  queued: number;
  dropped: number;
  last_success_at_ms: number | null;
  last_failure_at_ms: number | null;
  last_failure: string | null;
};

const toWebhook = (row: Row): WebhookRecord => ({
  id: row.id,
  name: row.name,
  url: row.url,
  secret: row.secret,
  events: row.events.split(" ") as WebhookEvent[],
  createdAtMs: row.created_at_ms,
  createdBy: row.created_by,
  queued: row.queued,
  dropped: row.dropped,
  lastSuccessAtMs: row.last_success_at_ms,
  lastFailureAtMs: row.last_failure_at_ms,
  lastFailure: row.last_failure,
});

/** Returns the function that notes the outcome of an attempt. */
function noter(database: Database): WebhookStore["note"] {
  const succeeded = database.query("UPDATE webhooks SET last_success_at_ms = $atMs WHERE id = $id");
  const failed = database.query(
    "UPDATE webhooks SET last_failure_at_ms = $atMs, last_failure = $why WHERE id = $id",
  );
  const take = database.query("DELETE FROM webhook_queue WHERE id = $deliveryId");
  const count = database.query(
    "UPDATE webhooks SET queued = max(0, queued - 1), dropped = dropped + $dropped WHERE id = $id",
  );
  const later = database.query(
    "UPDATE webhook_queue SET attempts = attempts + 1, due_at_ms = $dueAtMs WHERE id = $deliveryId",
  );
  return async (id, deliveryId, attempt: Attempt, atMs) =>
    database.transaction(() => {
      if (attempt.result === "delivered") succeeded.run({ id, atMs });
      else failed.run({ id, atMs, why: attempt.why });
      if (deliveryId === null) return;
      if (attempt.result === "failed") later.run({ deliveryId, dueAtMs: attempt.dueAtMs });
      else if (take.run({ deliveryId }).changes > 0)
        count.run({ id, dropped: attempt.result === "dropped" ? 1 : 0 });
    })();
}

export function sqliteWebhooks(database: Database): WebhookStore {
  const list = database.query<Row, []>("SELECT * FROM webhooks ORDER BY name");
  const named = database.query<Row, { words: string }>(
    `SELECT * FROM webhooks WHERE id = $words OR name = $words COLLATE NOCASE ORDER BY id = $words DESC LIMIT 1`,
  );
  const insert = database.query(
    `INSERT OR IGNORE INTO webhooks (id, name, url, secret, events, created_at_ms, created_by)
     VALUES ($id, $name, $url, $secret, $events, $createdAtMs, $createdBy)`,
  );
  const remove = database.query("DELETE FROM webhooks WHERE id = $id");
  const empty = database.query("DELETE FROM webhook_queue WHERE webhook_id = $id");
  const due = database.query<Delivery, { webhookId: string; nowMs: number; limit: number }>(
    `SELECT id, event, at_ms AS atMs, data_json AS data, attempts FROM webhook_queue
     WHERE webhook_id = $webhookId AND $nowMs >=
       (SELECT due_at_ms FROM webhook_queue WHERE webhook_id = $webhookId ORDER BY id LIMIT 1)
     ORDER BY id LIMIT $limit`,
  );
  const waiting = database.query<{ n: number }, []>("SELECT coalesce(sum(queued), 0) AS n FROM webhooks");
  return {
    list: async () => list.all().map(toWebhook),
    async named(words) {
      const row = named.get({ words });
      return row && toWebhook(row);
    },
    add: async ({ events, ...webhook }) => insert.run({ ...webhook, events: events.join(" ") }).changes > 0,
    async remove(id) {
      empty.run({ id });
      remove.run({ id });
    },
    due: async (webhookId, nowMs, limit) => due.all({ webhookId, nowMs, limit }),
    note: noter(database),
    waiting: async () => waiting.get()!.n,
  };
}
