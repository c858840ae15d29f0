/**
 * Kinds of failed requests to the source; callers treat each kind differently.
 *
 * - `unreachable`: network error, timeout, 429 or 5xx. A later attempt may succeed.
 * - `refused`: any other status outside 2xx. The same request fails again.
 * - `unauthorized`: 401, 403 or a server that is not the source.
 * - `invalid`: the answer does not match the API.
 */
import type { BarCode } from "../model/enrolment.ts";
import { IdentityError } from "../net/web/identity-error.ts";

export type SourceErrorKind = "unreachable" | "refused" | "unauthorized" | "invalid";

/** Reasons for which the source is not reached, as `status` and the log name them. */
export const contactProblems = [
  "not-resolvable",
  "connection-refused",
  "timed-out",
  "no-route",
  "connection-lost",
  "certificate",
  "identity",
  "clock",
  "plain-http",
  "credential",
  "source-error",
  "other",
] as const;
export type ContactProblem = (typeof contactProblems)[number];

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

/** The device gave up a request of its own: its network, or the address of the source, changed. */
export class RenewedError extends Error {
  override readonly name = "RenewedError";
}

/** Whether a request failed only because the device gave it up. */
export const isRenewed = (error: unknown): boolean =>
  (error instanceof SourceError ? error.cause : error) instanceof RenewedError;

const problemOfCode: Readonly<Record<string, ContactProblem>> = {
  ENOTFOUND: "not-resolvable",
  EAI_AGAIN: "not-resolvable",
  ECONNREFUSED: "connection-refused",
  ConnectionRefused: "connection-refused",
  ETIMEDOUT: "timed-out",
  TimeoutError: "timed-out",
  ENETUNREACH: "no-route",
  EHOSTUNREACH: "no-route",
  ECONNRESET: "connection-lost",
  ConnectionClosed: "connection-lost",
};

/** Returns why the source was not reached, from the error of a request. */
export function contactProblemOf(error: unknown): ContactProblem {
  if (error instanceof SourceError && error.status !== null) return problemOfStatus(error);
  // The body of an answer, such as the change stream, fails with the error of the connection.
  const cause = error instanceof SourceError ? error.cause : error;
  if (cause instanceof IdentityError) return cause.problem;
  if (cause === undefined) return "connection-lost";
  if (!(cause instanceof Error)) return "other";
  const code = String((cause as NodeJS.ErrnoException).code ?? cause.name);
  return problemOfCode[code] ?? problemOfCode[cause.name] ?? "other";
}

const problemOfStatus = ({ kind }: SourceError): ContactProblem =>
  kind === "unauthorized" ? "credential" : kind === "unreachable" ? "source-error" : "other";
