/**
 * Why a request to the source did not work, in the four ways that callers treat differently:
 * `unreachable` (network, timeout, 429 or 5xx: try again later), `refused` (4xx: asking again changes nothing),
 * `unauthorized` (401, 403, a wrong certificate) and `invalid` (an answer that is not of this API).
 */
export type SourceErrorKind = "unreachable" | "refused" | "unauthorized" | "invalid";

export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly kind: SourceErrorKind;
  /** The HTTP status, null when there was no answer. */
  readonly status: number | null;

  constructor(kind: SourceErrorKind, status: number | null, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.status = status;
  }
}
