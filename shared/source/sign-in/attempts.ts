/**
 * Checks before a secret of a person is looked at: the connection, the page, and the number of
 * failures.
 */
import type { Context } from "hono";
import { ApiError } from "../api-error.ts";
import { countRefusal } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { originOf, requireSafeChannel } from "./session-cookie.ts";

/** Actor of a refused request, as the audit has it. */
export type Party = NonNullable<Parameters<typeof countRefusal>[3]>;
export const nobody = { actor: "", kind: "nobody" } as const satisfies Party;

/**
 * Counts the attempt, also one that ends without an answer.
 * @param user name, or a text that no name can be
 * @throws ApiError 429 with the time to wait
 */
export function beginAttempt(
  context: SourceContext,
  c: Context<SourceEnv>,
  user: string,
  party: Party,
  what = "wrong passwords",
): void {
  const waitMs = context.signIn.attempts.begin(user, c.env.remoteAddress, context.nowMs());
  if (waitMs === 0) return;
  countRefusal(context, c, "too-many-attempts", party);
  const seconds = Math.ceil(waitMs / 1_000);
  const error = new ApiError(429, `Too many ${what}`, `try again in ${seconds} s`);
  error.retryAfterMs = waitMs;
  throw error;
}

/**
 * Refuses what could begin a session for a stranger. A foreign page could otherwise sign the
 * browser in as a user of the page's own.
 * @throws ApiError 403 for a foreign page, and for a connection that others can read
 */
export function requireOwnPage(context: SourceContext, c: Context<SourceEnv>): void {
  requireSafeChannel(c);
  if (originOf(c) !== "foreign") return;
  countRefusal(context, c, "foreign-page");
  throw new ApiError(403, "A page of another site asked to sign in", "open the source's own page");
}
