/**
 * One request to the source and its validated answer, for both API clients. Nothing here retries:
 * the caller decides when to ask again.
 */
import * as v from "valibot";
import type { BarCode } from "../model/enrolment.ts";
import { mayReuseConnections } from "../net/web/connection-pool.ts";
import { pinnedTls } from "../net/web/pinned-tls.ts";
import { errorSchema } from "./schema/common.ts";
import { SourceError, type SourceErrorKind } from "./source-error.ts";

const timeoutDefaultMs = 30_000;

/** How requests reach the source: its origin, the authorization and the limits. */
export type Connection = {
  readonly sourceUrl: string;
  /** Value of the Authorization header; null before enrolment. */
  readonly authorization: () => string | null;
  /** The source's pinned certificate (PEM); undefined if the system trusts it. */
  readonly ca?: string | undefined;
  /** Time limit of one request; default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** Aborted when no answer to a pending request can arrive any more. */
  readonly pendingSignal?: () => AbortSignal;
  /** Called for each refusal of a credential that is barred. */
  readonly onBarred?: ((code: BarCode) => void) | undefined;
};
type RequestOptions = {
  readonly json?: unknown;
  readonly body?: ReadableStream<Uint8Array> | Uint8Array | Blob;
  readonly signal?: AbortSignal | undefined;
  /** Null means no limit, for bodies of any length. */
  readonly timeoutMs?: number | null;
  readonly headers?: Record<string, string>;
};

/**
 * Returns the origin of a source's URL. The path is dropped, because the API is at the root.
 * @throws Error when the text is not an http or https URL
 */
export function parseSourceUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new Error(`"${text}" is not the URL of a source: write for example https://source.example:7443`);
  }
  return url.origin;
}

const kindOf = (status: number): SourceErrorKind =>
  status === 401 || status === 403
    ? "unauthorized"
    : status === 429 || status >= 500
      ? "unreachable"
      : "refused";

async function refusal(response: Response, what: string): Promise<SourceError> {
  const { status } = response;
  if (status >= 300 && status < 400) {
    const to = response.headers.get("location") ?? "elsewhere";
    return new SourceError("refused", status, `The source redirects ${what} to ${to}: use that URL`);
  }
  const text = await response.text().catch(() => "");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = null;
  }
  const body = v.safeParse(errorSchema, parsed);
  if (!body.success) {
    const message = `${what} was answered with ${status} and no reason: is this a flockcast source?`;
    return new SourceError(kindOf(status), status, message);
  }
  const { error, hint, code } = body.output;
  const message = hint === undefined ? error : `${error} (${hint})`;
  return new SourceError(kindOf(status), status, message, { code });
}

/**
 * Sends a request and returns the raw response, whose status is 2xx.
 * @throws SourceError on any failure; once `options.signal` is aborted, its reason
 */
export async function send(
  connection: Connection,
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<Response> {
  const limitMs =
    options.timeoutMs === undefined ? (connection.timeoutMs ?? timeoutDefaultMs) : options.timeoutMs;
  const signals = [
    options.signal,
    connection.pendingSignal?.(),
    limitMs === null ? undefined : AbortSignal.timeout(limitMs),
  ];
  const authorization = connection.authorization();
  const tls = pinnedTls(connection.ca, connection.sourceUrl);
  let response: Response;
  try {
    response = await fetch(connection.sourceUrl + path, {
      method,
      redirect: "manual",
      keepalive: mayReuseConnections(),
      signal: AbortSignal.any(signals.filter((signal) => signal !== undefined)),
      headers: {
        ...(options.json === undefined ? {} : { "content-type": "application/json" }),
        ...(authorization === null ? {} : { authorization }),
        ...options.headers,
      },
      ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(tls === undefined ? {} : { tls }),
    });
  } catch (error) {
    throw noAnswer(connection.sourceUrl, error, options.signal);
  }
  if (response.ok) return response;
  const refused = await refusal(response, `${method} ${path}`);
  if (refused.code !== undefined) connection.onBarred?.(refused.code);
  throw refused;
}

function noAnswer(sourceUrl: string, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const code = (error as { code?: unknown } | null)?.code;
  const text = error instanceof Error ? error.message : String(error);
  const certificate = `${String(code)} ${text}`.match(/CERT|ALTNAME|pinned/i);
  if (certificate) {
    const message = `The certificate of ${sourceUrl} is not trusted: ${text.split("\n")[0]}`;
    return new SourceError("unauthorized", null, message, { cause: error });
  }
  // Bun adds advice for developers to the message.
  const why = text.replace(/ For more information, pass .*$/s, "");
  const hint = code === "ECONNRESET" && sourceUrl.startsWith("http:") ? " (is it an https:// source?)" : "";
  return new SourceError("unreachable", null, `Cannot reach the source ${sourceUrl}: ${why}${hint}`, {
    cause: error,
  });
}

/**
 * Sends a request and returns the answer, validated with `schema`.
 * @throws SourceError on any failure; once `options.signal` is aborted, its reason
 */
export async function ask<S extends v.GenericSchema>(
  connection: Connection,
  method: string,
  path: string,
  schema: S,
  options: RequestOptions = {},
): Promise<v.InferOutput<S>> {
  const response = await send(connection, method, path, options);
  let body: unknown;
  try {
    body = await response.json();
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    const text = error instanceof Error ? error.message : String(error);
    throw new SourceError(
      error instanceof SyntaxError ? "invalid" : "unreachable",
      response.status,
      `The answer to ${method} ${path} was cut off or is not JSON: ${text}`,
      { cause: error },
    );
  }
  const parsed = v.safeParse(schema, body);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const message = `The answer to ${method} ${path} does not match this API at "${v.getDotPath(issue) ?? ""}": ${issue.message}`;
  throw new SourceError("invalid", response.status, message);
}
