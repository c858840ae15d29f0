/**
 * Errors of signed statements. A code tells why a statement is refused, so that devices, source and
 * commands say the same.
 */
export const trustErrorCodes = [
  "malformed", // not a statement of this kind, or of a later format
  "other-deployment",
  "wrong-root", // no trust file has the roots that the enrolment token names
  "gap", // a version between two trust files is missing
  "too-few-signatures", // of keys that may sign it
  "ahead", // the clock of the signer, or of the one that checks, is wrong
  "older", // a newer statement about the same was accepted before
  "expired", // the time of the order, or of its key, is over
  "out-of-scope", // the key may not sign this action, or not for this device
  "not-targeted", // the target does not match this device
] as const;
export type TrustErrorCode = (typeof trustErrorCodes)[number];

/** Local error: a signed statement that is refused. */
export class TrustError extends Error {
  override readonly name = "TrustError";
  readonly code: TrustErrorCode;

  constructor(code: TrustErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
