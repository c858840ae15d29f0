/**
 * Routes of webhooks for administrators. The secret of a webhook is in the answer to its creation
 * alone.
 */
import { Hono } from "hono";
import {
  webhookCreatedSchema,
  webhookCreateSchema,
  webhookListSchema,
  webhookSchema,
  webhookTestedSchema,
  webhookWordsSchema,
  type Webhook,
  type WebhookCreated,
} from "../../api/schema/webhooks.ts";
import { webhooksMax, type WebhookEvent } from "../../model/webhook.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { WebhookRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { newSecret } from "../token-files.ts";
import { testWebhook } from "../webhooks/deliveries.ts";
import { allowedAddress, EgressError, parseTarget, webhookRule } from "../webhooks/egress.ts";

const bodyBytesMax = 8_192;
const viewOf = ({ secret: _secret, events, ...webhook }: WebhookRecord): Webhook => ({
  ...webhook,
  events: [...events],
});

export function webhookRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/",
    documented({ summary: "All webhooks", audience: ["admin"], answer: webhookListSchema }),
    allow(context),
    async (c) => c.json({ webhooks: (await catalog.webhooks.list()).map(viewOf) }),
  );
  routes.post(
    "/",
    documented({
      summary: "Add a webhook; the answer is the only one that has its secret",
      audience: ["admin"],
      answer: webhookCreatedSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    jsonBody(webhookCreateSchema),
    async (c) => {
      const { caller } = c.var;
      return c.json(
        await add(context, c.req.valid("json"), caller.kind === "person" ? caller.name : "source"),
      );
    },
  );
  addOne(routes, context);
  return routes;
}

function addOne(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log } = context;
  routes.delete(
    "/:webhook",
    documented({
      summary: "Remove a webhook with what waits for it",
      audience: ["admin"],
      answer: webhookSchema,
    }),
    allow(context),
    pathParameters(webhookWordsSchema),
    async (c) => {
      const webhook = await webhookNamed(context, c.req.valid("param").webhook);
      await catalog.webhooks.remove(webhook.id);
      log.info({ webhook: webhook.name }, "webhook removed");
      return c.json(viewOf(webhook));
    },
  );
  routes.post(
    "/:webhook/test",
    documented({
      summary: "Send a test to a webhook now; the answer has the result",
      audience: ["admin"],
      answer: webhookTestedSchema,
    }),
    allow(context),
    pathParameters(webhookWordsSchema),
    async (c) => {
      const webhook = await webhookNamed(context, c.req.valid("param").webhook);
      const { status, problem } = await testWebhook(context, webhook);
      const result = problem === null ? "done" : "failed";
      await catalog.audit.note({ object: `webhook ${webhook.name}`, after: { status }, result });
      return c.json({ ok: problem === null, status, problem });
    },
  );
}

/** @throws ApiError 404 */
async function webhookNamed({ catalog }: SourceContext, words: string): Promise<WebhookRecord> {
  const found = await catalog.webhooks.named(words);
  if (found !== null) return found;
  throw new ApiError(404, `No webhook "${words}"`, "webhook list shows all");
}

type New = { readonly name: string; readonly url: string; readonly events: readonly WebhookEvent[] };

async function add(
  context: SourceContext,
  { name, url, events }: New,
  createdBy: string,
): Promise<WebhookCreated> {
  const { catalog, webhookNetworks, randomBytes, nowMs, log } = context;
  let target: URL;
  try {
    target = parseTarget(url);
    await allowedAddress(target, webhookRule(webhookNetworks));
  } catch (error) {
    if (error instanceof EgressError)
      throw new ApiError(422, error.message, "give an address that the source may reach");
    throw error;
  }
  const full = (await catalog.webhooks.list()).length >= webhooksMax;
  if (full) throw new ApiError(409, `There are ${webhooksMax} webhooks`, "remove one that is not used");
  const id = Buffer.from(randomBytes(8)).toString("hex");
  const secret = newSecret(randomBytes);
  const made = { id, name, url: target.href, secret, createdAtMs: nowMs(), createdBy };
  if (!(await catalog.webhooks.add({ ...made, events: [...new Set(events)] })))
    throw new ApiError(409, `There is a webhook named "${name}"`, "choose another name, or remove it");
  log.info({ id, name, events, origin: target.origin }, "webhook added");
  return { webhook: viewOf((await catalog.webhooks.named(id))!), secret };
}
