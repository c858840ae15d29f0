/** A server that cannot prove to be the pinned source. Nothing but a question for it was sent. */

/**
 * - `certificate`: nobody vouches for the certificate.
 * - `identity`: another source answers.
 * - `clock`: the certificate counts by its dates only, and is not valid at this device's time.
 * - `plain-http`: the address has no TLS, and is not on this machine.
 */
export type IdentityProblem = "certificate" | "identity" | "clock" | "plain-http";

/** The message is for a person. */
export class IdentityError extends Error {
  override readonly name = "IdentityError";
  readonly problem: IdentityProblem;

  constructor(problem: IdentityProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}
