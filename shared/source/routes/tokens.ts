/**
 * Routes of tokens for administrators. The text of a token is in the answer to its creation alone:
 * the catalog has its SHA-256.
 */
import { Hono } from "hono";
import * as v from "valibot";
import {
  tokenCreatedSchema,
  tokenCreateSchema,
  tokenListSchema,
  tokenSchema,
  tokenWordsSchema,
  type Token,
  type TokenCreated,
} from "../../api/schema/tokens.ts";
import { pageQuerySchema } from "../../api/schema/page.ts";
import { formatToken } from "../../api/token.ts";
import { identityFingerprint } from "../../model/source-statement.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { NewToken, TokenRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { keyIn, readPage } from "../page.ts";
import { sha256Hex } from "../sha256-hex.ts";
import { fileTokenNames, newSecret } from "../token-files.ts";

const viewOf = ({ scope, tags, ...token }: TokenRecord): Token => ({
  ...token,
  scope: [...scope],
  tags: [...tags],
});

export function tokenRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/",
    documented({
      summary: "Tokens, also revoked and expired ones, the oldest first, a page at a time",
      audience: ["admin"],
      answer: tokenListSchema,
    }),
    allow(context),
    queryParameters(pageQuerySchema),
    async (c) => {
      const query = c.req.valid("query");
      const { rows, next } = await readPage({
        query,
        after: keyIn(query, v.pipe(v.tuple([v.number(), v.string()]), v.readonly())),
        read: (after, limit) => catalog.tokens.list(after, limit),
        keyOf: ({ createdAtMs, id }) => [createdAtMs, id] as const,
      });
      return c.json({ tokens: rows.map(viewOf), next });
    },
  );
  routes.post(
    "/",
    documented({
      summary: "Create a token; the answer is the only one that has its text",
      audience: ["admin"],
      answer: tokenCreatedSchema,
    }),
    allow(context),
    limitBody(16_384),
    jsonBody(tokenCreateSchema),
    async (c) => {
      const { caller } = c.var;
      const by = caller.kind === "person" ? caller.name : "source";
      return c.json(await create(context, c.req.valid("json"), by));
    },
  );
  routes.delete(
    "/:token",
    documented({ summary: "Revoke a token for good", audience: ["admin"], answer: tokenSchema }),
    allow(context),
    pathParameters(tokenWordsSchema),
    async (c) => c.json(await revoke(context, c.req.valid("param").token)),
  );
  return routes;
}

async function revoke({ catalog, log, nowMs }: SourceContext, words: string) {
  const found = await catalog.tokens.named(words);
  if (found === null)
    throw new ApiError(
      404,
      `No valid token "${words}"`,
      "token list shows all, also those that were revoked",
    );
  if (!(await catalog.tokens.revoke(found.id, nowMs())))
    throw new ApiError(409, `The token "${found.name}" is revoked already`, "token list shows all");
  log.info({ id: found.id, name: found.name }, "token revoked");
  return viewOf((await catalog.tokens.named(found.id))!);
}

async function create(
  context: SourceContext,
  request: v.InferOutput<typeof tokenCreateSchema>,
  createdBy: string,
): Promise<TokenCreated> {
  const { catalog, log, nowMs, randomBytes, identityKey, trust } = context;
  const { kind, name, expiresAtMs } = request;
  if (expiresAtMs !== null && expiresAtMs <= nowMs())
    throw new ApiError(422, "The token would have expired already", "give a later time, or none");
  if (fileTokenNames.has(name.toLowerCase()))
    throw new ApiError(409, `"${name}" is the name of a file's token`, "choose another name");
  const id = Buffer.from(randomBytes(8)).toString("hex");
  const made = { id, kind, name, expiresAtMs, createdAtMs: nowMs(), createdBy };
  const token: NewToken = {
    ...made,
    role: request.kind === "person" ? request.role : null,
    scope: request.kind === "person" ? request.scope : [],
    tags: request.kind === "enrolment" ? request.tags : [],
    needsApproval: request.kind === "enrolment" && request.needsApproval,
    approvesTakeovers: request.kind === "enrolment" && request.approvesTakeovers,
    isImaging: request.kind === "enrolment" && request.isImaging,
    usesLeft: request.kind === "enrolment" ? request.uses : null,
  };
  const secret = newSecret(randomBytes);
  if (!(await catalog.tokens.add(token, sha256Hex(secret))))
    throw new ApiError(409, `There is a token named "${name}"`, "choose another name, or revoke it");
  const { role, scope, tags, isImaging } = token;
  log.info({ id, kind, name, role, scope, tags, isImaging, expiresAtMs }, "token created");
  const identity = identityFingerprint(identityKey.publicKey);
  const text = formatToken({ kind, secret, identity, root: trust.root });
  return { token: viewOf((await catalog.tokens.named(id))!), text };
}
