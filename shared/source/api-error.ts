/**
 * A refusal: the request is wrong or cannot be granted now. Thrown by handlers and rules, turned into
 * `{error, hint?}` in one place (app.ts). Anything else that is thrown is a bug and answered with 500.
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
