/**
 * Routes of the audit for administrators: rows, their verification, and their export. A reader of
 * many rows takes turns with other requests.
 */
import { Hono } from "hono";
import {
  auditListSchema,
  auditQuerySchema,
  auditVerificationQuerySchema,
  auditVerificationSchema,
  type AuditVerification,
} from "../../api/schema/audit.ts";
import { AuditCheck, type AuditBeginning, type AuditRow } from "../../model/audit.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, queryParameters } from "../openapi.ts";

const pageRows = 500;

export function auditRoutes(context: SourceContext): Hono<SourceEnv> {
  const { audit } = context.catalog;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/",
    documented({
      summary: "Changes and refused attempts, the newest first",
      audience: ["admin"],
      answer: auditListSchema,
    }),
    allow(context),
    queryParameters(auditQuerySchema),
    async (c) => {
      const { since, before, actor = null, action = null, object = null, limit } = c.req.valid("query");
      const numbers = { sinceMs: numberOf(since), before: numberOf(before), limit: Number(limit) };
      return c.json({ rows: await audit.list({ ...numbers, actor, action, object }) });
    },
  );
  routes.get(
    "/verification",
    documented({
      summary: "Check of the chain of all rows, and of an earlier head",
      audience: ["admin"],
      answer: auditVerificationSchema,
    }),
    allow(context),
    queryParameters(auditVerificationQuerySchema),
    async (c) => {
      const { sequence, hash } = c.req.valid("query");
      const known =
        sequence === undefined || hash === undefined ? null : { sequence: Number(sequence), hash };
      c.env.allowIdle(0);
      return c.json(await verify(context, known));
    },
  );
  addExport(routes, context);
  return routes;
}

function addExport(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.get(
    "/export",
    documented({
      summary: "All rows as JSON lines, with the beginning in the first line and the head in the last",
      audience: ["admin"],
      media: "application/jsonl",
    }),
    allow(context),
    async (c) => {
      c.env.allowIdle(0);
      const lines = exported(context);
      const stream = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const { value, done } = await lines.next();
            if (done === true) controller.close();
            else controller.enqueue(value);
          },
          async cancel() {
            await lines.return(undefined);
          },
        },
        { highWaterMark: 0 },
      );
      return c.body(stream, 200, { "content-type": "application/jsonl" });
    },
  );
}

const numberOf = (text: string | undefined): number | null => (text === undefined ? null : Number(text));

async function* pages({ catalog: { audit } }: SourceContext, from: number): AsyncGenerator<AuditRow[]> {
  for (let last = from; ;) {
    const rows = await audit.after(last, pageRows);
    if (rows.length === 0) return;
    yield rows;
    last = rows.at(-1)!.sequence;
    await Bun.sleep(0);
  }
}

async function verify(context: SourceContext, known: AuditBeginning | null): Promise<AuditVerification> {
  const beginning = await context.catalog.audit.beginning();
  const check = new AuditCheck(beginning);
  let rows = 0;
  let found: AuditVerification["known"] =
    known === null ? null : known.sequence < beginning.sequence ? "removed-by-age" : "missing";
  const compare = ({ sequence, hash }: AuditBeginning): void => {
    if (known?.sequence === sequence) found = known.hash === hash ? "unchanged" : "changed";
  };
  compare(beginning);
  for await (const page of pages(context, 0))
    for (const row of page) {
      const broken = check.next(row);
      if (broken !== null) return { rows, beginning, head: check.head, broken, known: found };
      compare(row);
      rows++;
    }
  return { rows, beginning, head: check.head, broken: null, known: found };
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

async function* exported(context: SourceContext): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  const beginning = await context.catalog.audit.beginning();
  const { deployment } = context.catalog;
  yield encoder.encode(
    line({ format: "flockcast audit 1", deployment, exportedAtMs: context.nowMs(), beginning }),
  );
  let head = beginning;
  for await (const page of pages(context, beginning.sequence)) {
    yield encoder.encode(page.map(line).join(""));
    const { sequence, hash } = page.at(-1)!;
    head = { sequence, hash };
  }
  yield encoder.encode(line({ head }));
}
