/**
 * Refusal of a request that is wrong or cannot be granted now. Handlers and rules throw it; app.ts
 * turns it into `{error, hint?}`. Any other exception is a bug and gives status 500.
 */
type ApiStatus = 400 | 401 | 403 | 404 | 409 | 413 | 416 | 422 | 503 | 507;

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: ApiStatus;
  readonly hint: string | undefined;

  constructor(status: ApiStatus, message: string, hint?: string) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}
