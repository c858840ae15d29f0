/** Routes for the source's statement about itself, and for its announced address. */
import { Hono } from "hono";
import { identityQuerySchema, sourceAddressSchema, statementSchema } from "../../api/schema/identity.ts";
import { signStatement } from "../../model/source-statement.ts";
import { version } from "../../version.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, queryParameters } from "../openapi.ts";

export function identityRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog, changeHub, identityKey, log, nowMs } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/identity",
    documented({
      summary: "Signed statement of the source: its identity, its certificate and its announced address",
      audience: ["anyone"],
      answer: statementSchema,
    }),
    queryParameters(identityQuerySchema),
    async (c) => {
      const { nonce = null } = c.req.valid("query");
      const statement = {
        deployment: catalog.deployment,
        tlsSpki: c.env.tlsSpki,
        announcedUrl: await catalog.address.announced(),
        sourceTimeMs: nowMs(),
        version,
        nonce,
      };
      return c.json(signStatement(statement, identityKey), 200, { "cache-control": "no-store" });
    },
  );
  routes.get(
    "/source/address",
    documented({
      summary: "Address to which the source moves; null: none is announced",
      audience: ["admin"],
      answer: sourceAddressSchema,
    }),
    allow(context),
    async (c) => c.json({ announcedUrl: await catalog.address.announced() }),
  );
  routes.put(
    "/source/address",
    documented({
      summary: "Announce another address to all devices, or take the announcement back with null",
      audience: ["admin"],
      answer: sourceAddressSchema,
    }),
    allow(context),
    limitBody(4_096),
    jsonBody(sourceAddressSchema),
    async (c) => {
      const { announcedUrl } = c.req.valid("json");
      if (c.env.tlsSpki !== null && announcedUrl?.startsWith("http:") === true) {
        const hint = "announce an https:// address";
        throw new ApiError(400, `${announcedUrl} has no TLS, and this source has`, hint);
      }
      await catalog.address.announce(announcedUrl);
      log.info({ announcedUrl }, announcedUrl === null ? "announcement taken back" : "address announced");
      changeHub.notifyAll();
      return c.json({ announcedUrl });
    },
  );
  return routes;
}
