/**
 * Error for a broken invariant. A bug is neither an operational error (a typed value that a caller
 * handles) nor a protocol error of a peer. No caller can recover from it: the program logs it and
 * exits (shared/agent/program.ts), and the simulator reports a violation.
 */
export class BugError extends Error {
  override readonly name = "BugError";
}

/**
 * Checks an invariant.
 * @param message names the thing and quotes the value
 * @throws BugError when `condition` is false
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}
