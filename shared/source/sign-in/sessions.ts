/** Begin of a session, and the person behind a request with a session's cookie. */
import type { Context } from "hono";
import type { CallerView } from "../../api/schema/users.ts";
import type { CurrentSession, Person } from "../caller.ts";
import type { UserRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { sha256Hex } from "../sha256-hex.ts";
import { requireSafeChannel, sessionSecretIn, setSessionCookie } from "./session-cookie.ts";
import { endsAtMs, hasEnded, idleEndsAtMs, noteUseMs } from "./session-life.ts";

const secretBytes = 32;

/**
 * Begins a session of a user who has proved to be that user, and sets the cookie. A session that
 * the browser has already ends.
 * @throws ApiError 403 for a connection that others can read
 */
export async function beginSession(
  context: SourceContext,
  c: Context<SourceEnv>,
  user: UserRecord,
): Promise<CurrentSession> {
  requireSafeChannel(c);
  const secret = Buffer.from(context.randomBytes(secretBytes)).toString("base64url");
  const session = { secretSha256: sha256Hex(secret), beganAtMs: context.nowMs() };
  const before = sessionSecretIn(c);
  if (before !== null) await context.catalog.sessions.end(sha256Hex(before));
  await context.catalog.sessions.begin(user.id, session);
  setSessionCookie(c, secret);
  const { name, role } = user;
  context.log.info({ user: name, role, address: c.env.remoteAddress }, "signed in");
  return { session: { ...session, usedAtMs: session.beganAtMs }, user };
}

/**
 * Returns the session of the request's cookie.
 * @returns null without a cookie; "ended" for one of no session, or of one that ended
 */
export async function currentSession(
  { catalog, nowMs }: SourceContext,
  c: Context<SourceEnv>,
): Promise<CurrentSession | "ended" | null> {
  const secret = sessionSecretIn(c);
  if (secret === null) return null;
  const found = await catalog.sessions.bySecret(sha256Hex(secret));
  if (found === null || found.user.disabledAtMs !== null) return "ended";
  const { session } = found;
  // The row is removed once a day.
  if (hasEnded(session, nowMs())) return "ended";
  if (nowMs() - session.usedAtMs < noteUseMs) return found;
  await catalog.sessions.noteUse(session.secretSha256, nowMs());
  return { ...found, session: { ...session, usedAtMs: nowMs() } };
}

export const personOf = ({ user: { name, role, scope } }: CurrentSession): Person => ({
  kind: "person",
  name,
  role,
  scope,
  by: "session",
});

/** Returns the person as the API shows it. @param current null for a token */
export function viewOfPerson({ name, role, scope, by }: Person, current: CurrentSession | null): CallerView {
  const caller = { name, role, scope: [...scope], by };
  if (current === null) return { ...caller, session: null };
  const { session, user } = current;
  return {
    ...caller,
    session: {
      beganAtMs: session.beganAtMs,
      endsAtMs: endsAtMs(session),
      idleEndsAtMs: idleEndsAtMs(session),
      signIn: user.passwordHash === null ? "provider" : "password",
    },
  };
}
