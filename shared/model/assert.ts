/**
 * Broken invariants. A bug is neither an operational error (a typed value, handled) nor a protocol error (of a peer): no
 * caller can repair it, so the program logs it and exits (shared/agent/program.ts), and the simulator reports it.
 */
export class BugError extends Error {
  override readonly name = "BugError";
}

/** @throws BugError when `condition` does not hold. @param message names the thing, and quotes the value */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}
