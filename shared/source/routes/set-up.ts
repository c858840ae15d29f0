/**
 * Routes for one-time links: the set-up of a source without users, and the sign-in by a link that
 * an administrator made. A page of the console exchanges the secret of the link for a session.
 */
import { Hono, type Context } from "hono";
import type * as v from "valibot";
import {
  callerSchema,
  linkSignInSchema,
  setUpDoneSchema,
  setUpSchema,
  setUpStateSchema,
  signInLinkSchema,
  userPathSchema,
} from "../../api/schema/users.ts";
import { passwordProblem } from "../../model/password.ts";
import { ApiError } from "../api-error.ts";
import { allow, countRefusal, runForPerson } from "../auth.ts";
import type { UserRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { beginAttempt, nobody, requireOwnPage } from "../sign-in/attempts.ts";
import type { OneTimeSecrets } from "../sign-in/one-time-secrets.ts";
import { isSafeChannel } from "../sign-in/session-cookie.ts";
import { beginSession, personOf, viewOfPerson } from "../sign-in/sessions.ts";

type SetUpRequest = v.InferOutput<typeof setUpSchema>;

const bodyBytesMax = 4_096;
const linkMs = 10 * 60_000;
/** No user can have this name: failures of links count for no user. */
const linkAttempts = "(link)";

export function setUpRoutes(context: SourceContext): Hono<SourceEnv> {
  const { catalog } = context;
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/set-up",
    documented({
      summary: "Whether the source still needs its first user, and how browsers reach it",
      audience: ["anyone"],
      answer: setUpStateSchema,
    }),
    async (c) => {
      const state = (await catalog.users.hasAny()) ? "done" : "open";
      const { console: consoleUrl } = context.addresses;
      const certificate = c.env.isConsole === true ? "none" : context.certificate;
      const answer = { state, certificate, isSafe: isSafeChannel(c), consoleUrl } as const;
      return c.json(answer, 200, { "cache-control": "no-store" });
    },
  );
  routes.post(
    "/set-up",
    documented({
      summary: "Add the first administrator with the secret of the link in the log, and sign in",
      audience: ["anyone"],
      answer: setUpDoneSchema,
    }),
    limitBody(bodyBytesMax),
    jsonBody(setUpSchema),
    async (c) => {
      const json = c.req.valid("json");
      const hash = await checkedHash(context, c, json);
      const current = await runForPerson(c, json.name, async () =>
        beginSession(context, c, await addFirstUser(context, json, hash)),
      );
      const answer = { ...viewOfPerson(personOf(current), current), dataFolder: context.dataFolder };
      return c.json(answer, 200, { "cache-control": "no-store" });
    },
  );
  addSignInLinks(routes, context);
  return routes;
}

function addSignInLinks(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.post(
    "/users/:name/sign-in-link",
    documented({
      summary: "Make a secret that signs a user in once, within 10 minutes",
      audience: ["admin"],
      answer: signInLinkSchema,
    }),
    allow(context),
    pathParameters(userPathSchema),
    async (c) => {
      const user = await linkableUser(context, c.req.valid("param").name);
      const endsAtMs = context.nowMs() + linkMs;
      await context.catalog.audit.note({ object: `user ${user.name}`, after: { link: "made", endsAtMs } });
      const secret = context.signIn.links.make(user, endsAtMs);
      context.log.info({ user: user.name }, "made a link to sign in");
      return c.json({ secret, endsAtMs }, 200, { "cache-control": "no-store" });
    },
  );
  routes.post(
    "/sign-in/link",
    documented({
      summary: "Sign in with the secret of a link: begins a session",
      audience: ["anyone"],
      answer: callerSchema,
    }),
    limitBody(bodyBytesMax),
    jsonBody(linkSignInSchema),
    async (c) => {
      requireOwnPage(context, c);
      const made = valueOf(context, c, context.signIn.links, c.req.valid("json").secret, "take");
      const user = await context.catalog.users.byName(made.name);
      // Another password, and the end of the user, end the link as they end sessions.
      const isSame = user?.id === made.id && user.passwordHash === made.passwordHash;
      if (!isSame || user.disabledAtMs !== null) throw endedLink(context, c);
      const current = await runForPerson(c, user.name, () => beginSession(context, c, user));
      return c.json(viewOfPerson(personOf(current), current), 200, { "cache-control": "no-store" });
    },
  );
}

/** @throws ApiError 404, and 409 for a user who cannot sign in with a password either */
async function linkableUser({ catalog }: SourceContext, name: string): Promise<UserRecord> {
  const user = await catalog.users.byName(name);
  if (user === null) throw new ApiError(404, `No user "${name}"`, "user list shows all");
  if (user.passwordHash === null)
    throw new ApiError(409, `"${user.name}" signs in at the provider`, "open /v1/sign-in/provider");
  if (user.disabledAtMs === null) return user;
  throw new ApiError(409, `The user "${user.name}" is disabled`, "user edit --enable enables it");
}

function endedLink(context: SourceContext, c: Context<SourceEnv>): ApiError {
  countRefusal(context, c, "wrong-link");
  return new ApiError(
    401,
    "This link is unknown, was used, or has ended",
    "a link to sign in counts once and for 10 minutes; a start of the source without users logs one for the set-up",
  );
}

/**
 * Returns the value of a secret. Failures count as wrong passwords of the address do, but the right
 * secret never waits: it has 256 bits, and a stranger would otherwise keep its holder out.
 * @throws ApiError 401 for an unknown or ended secret, 429 after too many of them
 */
function valueOf<T>(
  context: SourceContext,
  c: Context<SourceEnv>,
  secrets: OneTimeSecrets<T>,
  secret: string,
  how: "peek" | "take",
): T {
  const value = secrets[how](secret, context.nowMs());
  if (value !== null) return value;
  beginAttempt(context, c, linkAttempts, nobody, "wrong links");
  throw endedLink(context, c);
}

/**
 * Checks a set-up, and returns the hash of the password. The link counts until there is a user, so
 * that a refused password does not end it.
 *
 * @throws ApiError 401 for a wrong link, 409 when there is a user, 422 for the password
 */
async function checkedHash(
  context: SourceContext,
  c: Context<SourceEnv>,
  { secret, name, password }: SetUpRequest,
): Promise<string> {
  const { catalog, signIn } = context;
  requireOwnPage(context, c);
  if (await catalog.users.hasAny()) throw isSetUp();
  valueOf(context, c, signIn.setUps, secret, "peek");
  const problem = passwordProblem(password, name);
  if (problem !== null)
    throw new ApiError(422, `The password cannot be used: ${problem}`, "choose another password");
  return signIn.hashes.hash(password);
}

/**
 * Adds the first user. The catalog decides between two requests at the same time.
 * @throws ApiError 409 when there is a user
 */
async function addFirstUser(
  { catalog, signIn, log, nowMs }: SourceContext,
  { name }: SetUpRequest,
  passwordHash: string,
): Promise<UserRecord> {
  const user = { name, role: "administrator", scope: [], passwordHash, createdAtMs: nowMs() } as const;
  if ((await catalog.users.addFirst(user)) === "not-first") throw isSetUp();
  signIn.setUps.clear();
  log.info({ user: name, role: user.role }, "first administrator added by the link for the set-up");
  return (await catalog.users.byName(name))!;
}

const isSetUp = (): ApiError =>
  new ApiError(409, "This source has a user already", "sign in, or let an administrator add you");
