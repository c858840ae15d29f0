/**
 * Deliveries of the webhooks: sends the queue of each, the oldest event first, and tries again with
 * a back-off. An event is sent at least once, and dropped after a day of failures.
 */
import { backoffMs, type Backoff } from "../../model/backoff.ts";
import type { WebhookRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";
import { sendWebhook, type Sent } from "./request.ts";

type DeliveryContext = Pick<SourceContext, "catalog" | "webhookNetworks" | "metrics" | "log" | "nowMs">;

const everyMs = 1_000;
/** Deliveries of a webhook in one round. */
const roundMax = 50;
const backoff: Backoff = { baseMs: 5_000, maxMs: 3_600_000, jitter: [0.8, 1.2] };
/** Age at which an event is dropped. 5 s doubled to an hour are about 33 attempts in this time. */
const giveUpMs = 86_400_000;
const attemptsMax = 33;

/** Delivers what is due; webhooks do not wait for each other. */
export async function deliverDue(context: DeliveryContext): Promise<void> {
  const webhooks = await context.catalog.webhooks.list();
  await Promise.all(webhooks.filter(({ queued }) => queued > 0).map((one) => deliverOf(context, one)));
}

async function deliverOf(context: DeliveryContext, webhook: WebhookRecord): Promise<void> {
  const { catalog, webhookNetworks, metrics, log, nowMs } = context;
  for (const { id, event, atMs, data, attempts } of await catalog.webhooks.due(
    webhook.id,
    nowMs(),
    roundMax,
  )) {
    const message = { delivery: `${webhook.id}-${id}`, event, atMs, data: JSON.parse(data) as unknown };
    const sent = await sendWebhook(webhook, message, webhookNetworks, nowMs());
    const endsAtMs = nowMs();
    const isOver = attempts + 1 >= attemptsMax || endsAtMs - atMs > giveUpMs;
    const dueAtMs = endsAtMs + backoffMs(backoff, attempts, Math.random);
    const { problem } = sent;
    if (problem === null) await catalog.webhooks.note(webhook.id, id, { result: "delivered" }, endsAtMs);
    else if (isOver)
      await catalog.webhooks.note(webhook.id, id, { result: "dropped", why: problem }, endsAtMs);
    else await catalog.webhooks.note(webhook.id, id, { result: "failed", why: problem, dueAtMs }, endsAtMs);
    metrics.webhooks.inc({ result: problem === null ? "delivered" : isOver ? "dropped" : "failed" });
    if (problem === null) continue;
    log.warn({ webhook: webhook.name, event, attempts: attempts + 1, problem }, "webhook not delivered");
    // The receiver is likely to fail for the others of this round too.
    return;
  }
}

/** Sends a test, which is not queued. */
export async function testWebhook(context: DeliveryContext, webhook: WebhookRecord): Promise<Sent> {
  const { catalog, webhookNetworks, nowMs } = context;
  const atMs = nowMs();
  const message = { delivery: `${webhook.id}-test-${atMs}`, event: "test", atMs, data: {} };
  const sent = await sendWebhook(webhook, message, webhookNetworks, atMs);
  const attempt =
    sent.problem === null
      ? ({ result: "delivered" } as const)
      : ({ result: "failed", why: sent.problem, dueAtMs: atMs } as const);
  await catalog.webhooks.note(webhook.id, null, attempt, nowMs());
  return sent;
}

/** Delivers from now on. Returns the function that stops this. */
export function startDeliveries(context: DeliveryContext): () => Promise<void> {
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout>;
  let round = Promise.resolve();
  const run = async (): Promise<void> => {
    try {
      await deliverDue(context);
    } catch (error) {
      if (!isStopped) context.log.error({ err: error }, "cannot deliver webhooks");
    }
    if (!isStopped) next();
  };
  const next = (): void => {
    timer = setTimeout(() => (round = run()), everyMs);
    timer.unref();
  };
  next();
  return () => {
    isStopped = true;
    clearTimeout(timer);
    // A request that is under way is sent again after the restart, unless it ends soon.
    return Promise.race([round, Bun.sleep(stopMs)]);
  };
}

const stopMs = 500;
