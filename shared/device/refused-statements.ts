/**
 * Statements of the source that do not count. A hostile source sends any number of them: few are
 * logged, and the others are kept up to a bound.
 */
import type { TrustErrorCode } from "../model/trust/index.ts";

/** Upper bound on the refused statements of an answer that are kept and reported. */
export const refusedMax = 1_024;
/** Statements of an answer that are logged one by one. */
const loggedMax = 16;

/** A statement that the device did not accept. `what` names it. */
export type RefusedStatement = {
  readonly what: string;
  readonly taskId: number | null;
  readonly code: TrustErrorCode;
  readonly text: string;
};

/** Logs refusals that the answer before did not have. */
export function logRefused(
  log: { readonly error: (fields: object, message: string) => void },
  refused: readonly RefusedStatement[],
  refusedBefore: readonly RefusedStatement[],
): void {
  const before = new Set(refusedBefore.map(({ what, code }) => `${what} ${code}`));
  const fresh = refused.filter(({ what, code }) => !before.has(`${what} ${code}`));
  for (const one of fresh.slice(0, loggedMax))
    log.error({ ...one }, "the source sent a statement that does not count");
  const more = fresh.length - loggedMax;
  if (more > 0) log.error({ more }, "the source sent more statements that do not count: see status");
}
