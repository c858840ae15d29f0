/**
 * One request to the source and its validated answer, for both API clients. Nothing here retries:
 * the caller decides when to ask again.
 */
import * as v from "valibot";
import type { BarCode } from "../model/enrolment.ts";
import { IdentityError } from "../net/web/identity-error.ts";
import type { SourceStatement } from "../model/source-statement.ts";
import { answerBytesMax, AnswerTooLongError, refusalBytesMax, textOfAnswer } from "./answer-body.ts";
import { errorSchema } from "./schema/common.ts";
import { SourceError, type SourceErrorKind } from "./source-error.ts";
import type { Transport } from "./source-transport.ts";

const timeoutDefaultMs = 30_000;

/** How requests reach the source: its transport, the authorization and the limits. */
export type Connection = {
  readonly transport: Pick<Transport, "url" | "fetch">;
  /** Value of the Authorization header; null before enrolment. */
  readonly authorization: () => string | null;
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
  const text = await textOfAnswer(response, refusalBytesMax).catch(() => "");
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
  const { url, fetch } = connection.transport;
  let response: Response;
  try {
    response = await fetch(url + path, {
      method,
      signal: AbortSignal.any(signals.filter((signal) => signal !== undefined)),
      headers: {
        ...(options.json === undefined ? {} : { "content-type": "application/json" }),
        ...(authorization === null ? {} : { authorization }),
        ...options.headers,
      },
      ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
      ...(options.body === undefined ? {} : { body: options.body }),
    });
  } catch (error) {
    throw noAnswer(url, error, options.signal);
  }
  if (response.ok) return response;
  const refused = await refusal(response, `${method} ${path}`);
  if (refused.code !== undefined) connection.onBarred?.(refused.code);
  throw refused;
}

/** Converts the error of a request without an answer into a SourceError, or the signal's reason. */
export function noAnswer(sourceUrl: string, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const code = (error as { code?: unknown } | null)?.code;
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof IdentityError) return new SourceError("unauthorized", null, text, { cause: error });
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
    body = JSON.parse(await textOfAnswer(response, answerBytesMax(path)));
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    const text = error instanceof Error ? error.message : String(error);
    const isWrong = error instanceof SyntaxError || error instanceof AnswerTooLongError;
    throw new SourceError(
      isWrong ? "invalid" : "unreachable",
      response.status,
      `The answer to ${method} ${path} was cut off, is too long or is not JSON: ${text}`,
      { cause: error },
    );
  }
  const parsed = v.safeParse(schema, body);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const message = `The answer to ${method} ${path} does not match this API at "${v.getDotPath(issue) ?? ""}": ${issue.message}`;
  throw new SourceError("invalid", response.status, message);
}

/**
 * Reads the statement of the pinned source at an address.
 * @throws SourceError when the address is not reached, or is not the source's
 */
export async function statementAt(
  transport: Pick<Transport, "url" | "statement">,
  url: string = transport.url,
): Promise<SourceStatement> {
  try {
    return await transport.statement(url);
  } catch (error) {
    throw noAnswer(url, error, undefined);
  }
}
