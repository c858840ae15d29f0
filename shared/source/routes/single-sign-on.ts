/**
 * Routes of single sign-on: its configuration for administrators, and the two requests with which a
 * browser goes to the provider and comes back.
 */
import { Hono, type Context } from "hono";
import { html } from "hono/html";
import * as v from "valibot";
import { doneSchema } from "../../api/schema/admin.ts";
import {
  singleSignOnSetSchema,
  singleSignOnStateSchema,
  type SingleSignOnView,
} from "../../api/schema/users.ts";
import { scopeProblem } from "../../model/role.ts";
import { ApiError } from "../api-error.ts";
import { allow, countRefusal, runForPerson } from "../auth.ts";
import type { GroupRole, SingleSignOn, UserRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, queryParameters } from "../openapi.ts";
import { redirectUrlOf, type PendingSignIn, type ProviderPerson } from "../sign-in/provider.ts";
import { isProtected } from "../sign-in/provider-fetch.ts";
import { requireSafeChannel, setPendingCookie, takePendingCookie } from "../sign-in/session-cookie.ts";
import { beginSession } from "../sign-in/sessions.ts";

const bodyBytesMax = 262_144;
/** Time for a person to sign in at the provider. */
const pendingMs = 600_000;
const secretBytes = 32;

/** A path of this source: another address would lead the browser away. */
const pathSchema = v.pipe(v.string(), v.maxLength(1_024), v.regex(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/));
const startQuerySchema = v.object({ return: v.optional(pathSchema, "/") });
const pendingSchema = v.object({
  state: v.string(),
  nonce: v.string(),
  verifier: v.string(),
  issuer: v.string(),
  returnTo: pathSchema,
  endsAtMs: v.number(),
});

export function singleSignOnRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog, log } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/single-sign-on",
    documented({ summary: "Single sign-on", audience: ["admin"], answer: singleSignOnStateSchema }),
    allow(context),
    async (c) => c.json({ provider: viewOf(await catalog.singleSignOn.read()) }),
  );
  routes.put(
    "/single-sign-on",
    documented({
      summary: "Let people sign in at an OpenID Connect provider; sessions of its users end",
      audience: ["admin"],
      answer: singleSignOnStateSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    jsonBody(singleSignOnSetSchema),
    async (c) => {
      const provider = await withSecret(context, c.req.valid("json"));
      await check(context, provider);
      await catalog.singleSignOn.write(provider);
      const { issuer, clientId, roles } = provider;
      log.info({ issuer, clientId, roles }, "single sign-on set");
      return c.json({ provider: viewOf(provider) });
    },
  );
  routes.delete(
    "/single-sign-on",
    documented({
      summary: "End single sign-on; sessions of the provider's users end",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    async (c) => {
      await catalog.singleSignOn.write(null);
      log.info("single sign-on ended");
      return c.json({ ok: true } as const);
    },
  );
  addFlow(routes, context);
  return routes;
}

function addFlow(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.get(
    "/sign-in/provider",
    documented({
      summary: "Sign in at the provider: leads the browser there",
      audience: ["anyone"],
      redirects: true,
    }),
    queryParameters(startQuerySchema),
    (c) => asPage(c, async () => c.redirect(await begin(context, c, c.req.valid("query").return), 303)),
  );
  routes.get(
    "/sign-in/provider/callback",
    documented({
      summary: "The provider leads the browser back: begins a session",
      audience: ["anyone"],
      redirects: true,
    }),
    (c) => asPage(c, async () => c.redirect(await finish(context, c), 303)),
  );
}

function viewOf(provider: SingleSignOn | null): SingleSignOnView | null {
  if (provider === null) return null;
  const { clientSecret: _secret, requested, roles, ...rest } = provider;
  return {
    ...rest,
    requested: [...requested],
    roles: roles.map(({ group, role, scope }) => ({ group, role, scope: [...scope] })),
    redirectUrl: redirectUrlOf(provider),
  };
}

/** @throws ApiError 422 without a secret for this client of this provider */
async function withSecret(
  { catalog }: SourceContext,
  { clientSecret, ...wanted }: v.InferOutput<typeof singleSignOnSetSchema>,
): Promise<SingleSignOn> {
  if (clientSecret !== undefined) return { ...wanted, clientSecret };
  const before = await catalog.singleSignOn.read();
  if (before?.issuer === wanted.issuer && before.clientId === wanted.clientId)
    return { ...wanted, clientSecret: before.clientSecret };
  throw new ApiError(422, "The client secret is missing", "give that of the provider's client");
}

/** @throws ApiError 422 with what to correct, or 503 when the provider does not answer */
async function check(context: SourceContext, { issuer, publicUrl, roles, requested }: SingleSignOn) {
  for (const [what, url] of [
    ["provider", issuer],
    ["source", publicUrl],
  ] as const)
    if (!isProtected(new URL(url)))
      throw new ApiError(422, `The address of the ${what}, ${url}, has no TLS`, "write an https:// address");
  for (const { role, scope, group } of roles) {
    const problem = scopeProblem(role, scope);
    if (problem !== null)
      throw new ApiError(
        422,
        `The group "${group}": ${problem}`,
        "a scope is a list of tags, for viewers and operators",
      );
  }
  if (!requested.includes("openid"))
    throw new ApiError(422, "The scope openid is missing", "add it to those that are requested");
  await context.signIn.provider.server(issuer, context.nowMs());
}

/** @throws ApiError 404 */
async function configured({ catalog }: SourceContext): Promise<SingleSignOn> {
  const provider = await catalog.singleSignOn.read();
  if (provider !== null) return provider;
  throw new ApiError(404, "This source has no single sign-on", "sign in with a password");
}

/** Returns the address at the provider, and lets the browser keep what belongs to this sign-in. */
async function begin(context: SourceContext, c: Context<SourceEnv>, returnTo: string): Promise<string> {
  requireSafeChannel(c);
  const provider = await configured(context);
  const random = (): string => Buffer.from(context.randomBytes(secretBytes)).toString("base64url");
  const [state, nonce, verifier] = [random(), random(), random()];
  const endsAtMs = context.nowMs() + pendingMs;
  const pending = { state, nonce, verifier, issuer: provider.issuer, returnTo, endsAtMs };
  const url = await context.signIn.provider.signInUrl(provider, pending, context.nowMs());
  setPendingCookie(c, context.signIn.sealer.seal(pending));
  return url;
}

/** Begins a session. Returns the path to which the browser goes. */
async function finish(context: SourceContext, c: Context<SourceEnv>): Promise<string> {
  requireSafeChannel(c);
  const provider = await configured(context);
  const pending = pendingOf(context, takePendingCookie(c));
  if (pending === null || pending.issuer !== provider.issuer) {
    countRefusal(context, c, "wrong-sign-in");
    throw new ApiError(403, "This browser has no sign-in that waits for the provider", "begin again");
  }
  let person: ProviderPerson;
  try {
    const answer = new URL(c.req.url).searchParams;
    person = await context.signIn.provider.person(provider, pending, answer, context.nowMs());
  } catch (error) {
    countRefusal(context, c, "wrong-sign-in");
    throw error;
  }
  await runForPerson(c, person.name, async () =>
    beginSession(context, c, await userOf(context, c, provider, person)),
  );
  return pending.returnTo;
}

function pendingOf({ signIn, nowMs }: SourceContext, cookie: string | null): PendingSignIn | null {
  const parsed = v.safeParse(pendingSchema, cookie === null ? null : signIn.sealer.open(cookie));
  return parsed.success && nowMs() < parsed.output.endsAtMs ? parsed.output : null;
}

/** @throws ApiError 403 for a person without a role, and for a user who is disabled */
async function userOf(
  context: SourceContext,
  c: Context<SourceEnv>,
  { issuer, roles, groupsClaim }: SingleSignOn,
  { subject, name, groups }: ProviderPerson,
): Promise<UserRecord> {
  const refuse = (why: "no-role" | "disabled-user", text: string, hint: string): never => {
    countRefusal(context, c, why, { actor: name, kind: "nobody" });
    throw new ApiError(403, text, hint);
  };
  const row: GroupRole | undefined = roles.find(({ group }) => groups?.includes(group));
  if (row === undefined)
    return groups === null
      ? refuse(
          "no-role",
          `The provider gives no claim "${groupsClaim}" for "${name}"`,
          "oidc set --groups-claim",
        )
      : refuse("no-role", `"${name}" is in no group that has a role at this source`, "ask an administrator");
  const { role, scope } = row;
  const user = { issuer, subject, name, role, scope };
  const result = await context.catalog.users.recordProviderUser(user, context.nowMs());
  if (result === "disabled")
    return refuse("disabled-user", `The user "${name}" is disabled`, "an administrator can enable it");
  if (result === "name-taken")
    throw new ApiError(409, `Another user is named "${name}"`, "an administrator removes that user first");
  if (result === "too-many")
    throw new ApiError(409, "The source has as many users as it can have", "user remove removes some");
  return result;
}

/** Answers a person in a browser, who cannot read JSON. */
async function asPage(c: Context<SourceEnv>, run: () => Promise<Response>): Promise<Response> {
  c.header("cache-control", "no-store");
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    c.header("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    const hint = error.hint === undefined ? "" : html`<p>${error.hint}</p>`;
    return c.html(
      html`<!doctype html>
        <html lang="en">
          <head>
            <meta charset="utf-8" />
            <title>flockcast: not signed in</title>
          </head>
          <body>
            <h1>Not signed in</h1>
            <p>${error.message}</p>
            ${hint}
            <p><a href="/">Back</a></p>
          </body>
        </html>`,
      error.status,
    );
  }
}
