/** Route of the backup: the administrator's `source backup` stores what it streams. */
import { Hono } from "hono";
import { backupQuerySchema } from "../../api/schema/admin.ts";
import { allow } from "../auth.ts";
import { backup } from "../backup/backup.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, queryParameters } from "../openapi.ts";

/** Bytes stop flowing while a slow disk takes them at the other side. */
const idleSeconds = 240;

export function backupRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.post(
    "/",
    documented({
      summary: "A backup: a tar with the catalog, the tokens and, on request, the packages",
      audience: ["admin"],
      media: "application/x-tar",
    }),
    allow(context),
    queryParameters(backupQuerySchema),
    async (c) => {
      const { packages } = c.req.valid("query");
      // A backup changes nothing, and gives away every secret of the source.
      await context.catalog.audit.note({ object: "backup", after: { packages } });
      c.env.allowIdle(idleSeconds);
      context.log.info({ packages }, "backup begins");
      const bytes = backup(context, packages === "yes");
      // The copy of the catalog is made before the first byte: a full disk is an answer of its own.
      const first = await bytes.next();
      return c.body(streamOf(first, bytes, context), 200, {
        "content-type": "application/x-tar",
        "cache-control": "no-store",
      });
    },
  );
  return routes;
}

/** An error breaks the connection off; the archive then lacks its end, which the reader notices. */
function streamOf(
  first: IteratorResult<Uint8Array>,
  bytes: AsyncGenerator<Uint8Array>,
  { log }: SourceContext,
): ReadableStream<Uint8Array> {
  let next: IteratorResult<Uint8Array> | null = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = next ?? (await bytes.next());
          next = null;
          if (done !== true) return controller.enqueue(value);
          log.info("backup complete");
          controller.close();
        } catch (error) {
          log.error({ err: error }, "the backup failed");
          controller.error(error);
        }
      },
      async cancel() {
        await bytes.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
