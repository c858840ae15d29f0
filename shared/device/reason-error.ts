/** An error whose words are made where it is shown. */
import { CacheError } from "../cache/index.ts";
import { ManifestError } from "../model/manifest-error.ts";
import { problemReason, reasonText, type Reason } from "../model/reason.ts";

export class ReasonError extends Error {
  readonly reason: Reason;

  constructor(reason: Reason) {
    super(reasonText(reason));
    this.reason = reason;
  }
}

/** The device refuses the task; only a person can change that. */
export class RefusalError extends ReasonError {}

export const reasonOfError = (error: unknown): Reason =>
  error instanceof ReasonError ? error.reason : problemReason(error);

/** Whether a further attempt cannot help: the task fails. */
export const isFinal = (error: unknown): boolean =>
  error instanceof ManifestError ||
  error instanceof RefusalError ||
  (error instanceof CacheError && error.code === "bad-disk");
