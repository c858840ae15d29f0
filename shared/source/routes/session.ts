/**
 * Routes for people in a browser: sign in with a password, who is signed in, the own password, and
 * the end of a session. Programs use tokens instead.
 */
import { Hono, type Context } from "hono";
import type * as v from "valibot";
import { doneSchema } from "../../api/schema/admin.ts";
import { callerSchema, ownPasswordSchema, signInSchema, signInWaysSchema } from "../../api/schema/users.ts";
import { passwordProblem } from "../../model/password.ts";
import { ApiError } from "../api-error.ts";
import { allow, countRefusal, runForPerson } from "../auth.ts";
import type { CurrentSession, Person } from "../caller.ts";
import type { UserRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { beginAttempt, requireOwnPage } from "../sign-in/attempts.ts";
import { removeSessionCookie } from "../sign-in/session-cookie.ts";
import { beginSession, currentSession, personOf, viewOfPerson } from "../sign-in/sessions.ts";
import { providerPath } from "../sign-in/provider.ts";

const bodyBytesMax = 4_096;

export function sessionRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/sign-in",
    documented({ summary: "Ways to sign in", audience: ["anyone"], answer: signInWaysSchema }),
    async (c) => {
      const provider = await catalog.singleSignOn.read();
      const isConsole = c.env.isConsole === true;
      const way = provider && !isConsole ? { issuer: provider.issuer, path: providerPath } : null;
      const sourceUrl = isConsole ? context.addresses.source : null;
      const current = await currentSession(context, c);
      const signedIn = current !== null && current !== "ended";
      return c.json({ password: true, provider: way, signedIn, sourceUrl }, 200, {
        "cache-control": "no-store",
      });
    },
  );
  routes.post(
    "/session",
    documented({
      summary: "Sign in: begins a session, whose secret is the cookie of the answer",
      audience: ["anyone"],
      answer: callerSchema,
    }),
    limitBody(bodyBytesMax),
    jsonBody(signInSchema),
    async (c) => {
      const user = await userByPassword(context, c, c.req.valid("json"));
      const current = await runForPerson(c, user.name, () => beginSession(context, c, user));
      return c.json(viewOfPerson(personOf(current), current), 200, { "cache-control": "no-store" });
    },
  );
  addOwnSession(routes, context);
  return routes;
}

/** Adds the routes of the session that the request belongs to. */
function addOwnSession(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log } = context;
  routes.get(
    "/session",
    documented({ summary: "Who sends this request", audience: ["admin"], answer: callerSchema }),
    allow(context),
    (c) => {
      const caller = c.get("caller") as Person;
      return c.json(viewOfPerson(caller, c.get("session") ?? null), 200, { "cache-control": "no-store" });
    },
  );
  routes.delete(
    "/session",
    documented({ summary: "Sign out: ends the session", audience: ["admin"], answer: doneSchema }),
    allow(context),
    async (c) => {
      const { session, user } = sessionIn(c);
      await catalog.sessions.end(session.secretSha256);
      removeSessionCookie(c);
      log.info({ user: user.name }, "signed out");
      return c.json({ ok: true } as const);
    },
  );
  routes.put(
    "/session/password",
    documented({
      summary: "Change the own password; the other sessions of the user end",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    limitBody(bodyBytesMax),
    jsonBody(ownPasswordSchema),
    async (c) => {
      await changeOwnPassword(context, c, c.req.valid("json"));
      return c.json({ ok: true } as const);
    },
  );
}

/** @throws ApiError 409 for a request with a token */
function sessionIn(c: Context<SourceEnv>): CurrentSession {
  const current = c.get("session");
  if (current !== undefined) return current;
  throw new ApiError(409, "A token has no session", "this request is for people who signed in");
}

/** @throws ApiError 401 for a wrong name or password, 403 for a foreign page or a disabled user */
async function userByPassword(
  context: SourceContext,
  c: Context<SourceEnv>,
  { user: name, password }: v.InferOutput<typeof signInSchema>,
): Promise<UserRecord> {
  requireOwnPage(context, c);
  const user = await context.catalog.users.byName(name);
  // An unknown name is not recorded: people type passwords there.
  const party = { actor: user?.name ?? "", kind: "nobody" } as const;
  beginAttempt(context, c, name, party);
  const isRight = await context.signIn.hashes.verify(password, user?.passwordHash ?? null);
  // The password may have been changed, or the user removed, meanwhile.
  const present = await context.catalog.users.byName(name);
  if (!isRight || present === null || present.passwordHash !== user?.passwordHash) {
    countRefusal(context, c, "wrong-password", party);
    throw new ApiError(401, "The user or the password is wrong", "an administrator can give a new password");
  }
  context.signIn.attempts.succeeded(name, c.env.remoteAddress);
  if (present.disabledAtMs === null) return present;
  countRefusal(context, c, "disabled-user", party);
  throw new ApiError(403, `The user "${present.name}" is disabled`, "an administrator can enable it");
}

async function changeOwnPassword(
  context: SourceContext,
  c: Context<SourceEnv>,
  { current, password }: v.InferOutput<typeof ownPasswordSchema>,
): Promise<void> {
  const { session, user } = sessionIn(c);
  const { signIn, catalog, log } = context;
  if (user.passwordHash === null)
    throw new ApiError(409, `"${user.name}" signs in at the provider`, "change the password there");
  const party = { actor: user.name, kind: "session" } as const;
  beginAttempt(context, c, user.name, party);
  if (!(await signIn.hashes.verify(current, user.passwordHash))) {
    countRefusal(context, c, "wrong-password", party);
    throw new ApiError(403, "The current password is wrong", "an administrator can give a new one");
  }
  signIn.attempts.succeeded(user.name, c.env.remoteAddress);
  const problem = passwordProblem(password, user.name);
  if (problem !== null)
    throw new ApiError(422, `The new password cannot be used: ${problem}`, "choose another password");
  const hash = await signIn.hashes.hash(password);
  // An administrator may have ended the session meanwhile, with another password.
  if ((await catalog.sessions.bySecret(session.secretSha256)) === null)
    throw new ApiError(401, "The session has ended", "sign in again");
  await catalog.users.setPassword(user.id, hash, session.secretSha256);
  log.info({ user: user.name }, "password changed; the other sessions ended");
}
