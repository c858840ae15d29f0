/**
 * Kinds of failed requests to the source; callers treat each kind differently.
 *
 * - `unreachable`: network error, timeout, 429 or 5xx. A later attempt may succeed.
 * - `refused`: any other status outside 2xx. The same request fails again.
 * - `unauthorized`: 401, 403 or a wrong certificate.
 * - `invalid`: the answer does not match the API.
 */
import type { BarCode } from "../model/enrolment.ts";

export type SourceErrorKind = "unreachable" | "refused" | "unauthorized" | "invalid";

/** A failed request to the source. The message is for a person. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly kind: SourceErrorKind;
  /** HTTP status; null if no answer arrived. */
  readonly status: number | null;
  /** Set when the credential is barred. */
  readonly code: BarCode | undefined;

  constructor(
    kind: SourceErrorKind,
    status: number | null,
    message: string,
    { code, ...options }: ErrorOptions & { readonly code?: BarCode | undefined } = {},
  ) {
    super(message, options);
    this.code = code;
    this.kind = kind;
    this.status = status;
  }
}
