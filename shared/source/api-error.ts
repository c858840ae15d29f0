/**
 * Refusal of a request that is wrong or cannot be granted now. Handlers and rules throw it; app.ts
 * turns it into `{error, hint, code?}`. Any other exception is a bug and gives status 500.
 */
import type { BarCode } from "../model/enrolment.ts";

export type ApiStatus = 400 | 401 | 403 | 404 | 409 | 413 | 416 | 422 | 429 | 503 | 507;

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: ApiStatus;
  /** Next step for the person or program that asked. */
  readonly hint: string;
  /** Tells an agent what the refusal means for it. */
  readonly code: BarCode | undefined;
  /** Time after which the same request may be admitted; a whole number of seconds is sent. */
  retryAfterMs: number | undefined;

  constructor(status: ApiStatus, message: string, hint: string, code?: BarCode) {
    super(message);
    this.status = status;
    this.hint = hint;
    this.code = code;
  }
}
