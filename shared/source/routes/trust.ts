/**
 * Routes of trust: the trust file, the orders that records need, and freshness. Nothing here asks
 * for more than a signature: the source stores a statement if devices would accept it.
 */
import { Hono } from "hono";
import { doneSchema } from "../../api/schema/admin.ts";
import {
  freshnessBodySchema,
  neededListSchema,
  neededQuerySchema,
  orderQuerySchema,
  ordersAnswerSchema,
  ordersBodySchema,
  orderViewSchema,
  trustFilesBodySchema,
  trustVersionSchema,
  trustViewSchema,
} from "../../api/schema/trust.ts";
import {
  readPayload,
  signerAheadMs,
  signText,
  TrustError,
  trustFileSchema,
  withSignatures,
  type Signed,
} from "../../model/trust/index.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, queryParameters } from "../openapi.ts";
import type { Subject } from "../trust/orders.ts";
import { wake } from "../waking.ts";

/** Upper bound on a body of statements. */
export const trustBytesMax = 8 * 1_048_576;

/**
 * Stores newer versions of the trust file, and tells the devices.
 * @throws TrustError when one may not follow
 */
export async function extendTrustFile(context: SourceContext, files: readonly Signed[]): Promise<void> {
  if (!(await context.trust.extend(files))) return;
  await context.onRoots(context.trust.root);
  await context.orders.dropRevoked();
  await context.orders.signAll();
  context.changeHub.notifyAll();
}

export function trustRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addFiles(routes, context);
  addOrders(routes, context);
  routes.post(
    "/freshness",
    documented({
      summary: "Renew the operators' word that nothing newer was kept back",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(65_536),
    jsonBody(freshnessBodySchema),
    async (c) => {
      const wasStale = await context.orders.attachFreshness(c.req.valid("json").signed);
      // Otherwise the next check-in of each device is early enough.
      if (wasStale) context.changeHub.notifyAll();
      return c.json({ ok: true } as const);
    },
  );
  return routes;
}

/**
 * Devices take no time before that of the trust file: with one of the future no order would count.
 * @throws TrustError
 */
function checkIssued(file: Signed, nowMs: number): void {
  if (readPayload(trustFileSchema, file).issuedAtMs <= nowMs + signerAheadMs) return;
  throw new TrustError("ahead", "the version was issued more than a day ahead: check the signer's clock");
}

function addFiles(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, trust, orders, nowMs } = context;
  routes.get(
    "/",
    documented({
      summary: "The trust file with all versions, and the freshness of the source",
      audience: ["admin"],
      answer: trustViewSchema,
    }),
    allow(context),
    async (c) =>
      c.json({
        root: trust.root,
        file: trust.file,
        files: trust.filesAfter(0),
        canSign: (await trust.keys()) !== null,
        freshness: await orders.freshness(),
        lastSequence: await catalog.trust.lastSequence(),
        unsigned: (await orders.allNeeded()).length,
      }),
  );
  routes.post(
    "/files",
    documented({
      summary: "Give the source newer versions of the trust file",
      audience: ["admin"],
      answer: trustVersionSchema,
    }),
    allow(context),
    limitBody(trustBytesMax),
    jsonBody(trustFilesBodySchema),
    async (c) => {
      const keys = await trust.keys();
      c.req.valid("json").files.forEach((file) => checkIssued(file, nowMs()));
      const files = c.req.valid("json").files.map((file) => {
        if (keys === null) return file;
        return withSignatures(file, signText("trust", file.payload, [keys.root]));
      });
      await extendTrustFile(context, files);
      return c.json({ version: trust.file.version, root: trust.root });
    },
  );
}

function addOrders(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { orders, log } = context;
  routes.get(
    "/needed",
    documented({
      summary: "Orders that records need: of one record, or of all",
      audience: ["admin"],
      answer: neededListSchema,
    }),
    allow(context),
    queryParameters(neededQuerySchema),
    async (c) => {
      const { kind, subject } = c.req.valid("query");
      if (kind === undefined) return c.json({ needed: await orders.allNeeded() });
      const needed = await orders.needed({ kind, subject });
      return c.json({ needed: needed === null ? [] : [needed] });
    },
  );
  routes.get(
    "/order",
    documented({
      summary: "The newest order about a record",
      audience: ["admin"],
      answer: orderViewSchema,
    }),
    allow(context),
    queryParameters(orderQuerySchema),
    async (c) => {
      const { kind, subject } = c.req.valid("query");
      return c.json({ signed: await orders.signed(kind, subject) });
    },
  );
  routes.post(
    "/orders",
    documented({
      summary: "Give the source orders for its records; devices obey them from then on",
      audience: ["admin"],
      answer: ordersAnswerSchema,
    }),
    allow(context),
    limitBody(trustBytesMax),
    jsonBody(ordersBodySchema),
    async (c) => {
      const attached = [];
      for (const { signed, ...subject } of c.req.valid("json").orders) {
        const isComplete = await orders.attach(subject, signed);
        attached.push({ ...subject, isComplete });
        log.info(
          { ...subject, isComplete, signers: signed.signatures.map(({ key }) => key) },
          "order signed",
        );
        if (isComplete) await announceOrder(context, subject);
      }
      return c.json({ orders: attached });
    },
  );
}

/** Wakes the devices that a new order may concern. */
async function announceOrder(context: SourceContext, { kind, subject }: Subject): Promise<void> {
  if (kind !== "task") return context.changeHub.notifyAll();
  const task = await context.catalog.tasks.byId(Number(subject));
  if (task !== null) await wake(context, task);
}
