/**
 * The change stream: a held-open response on which the source tells a device to check in again.
 *
 * The stream carries no data but times, so a lost stream costs only time. Each opening counts as a
 * wake-up, because something may have changed while the stream was closed.
 */
import * as v from "valibot";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { send, type Connection } from "./request.ts";
import { SourceError } from "./source-error.ts";

/**
 * Back-off after the stream was lost. The first delay is also spread over the time that the source
 * named, because all devices lose the same source in the same moment.
 */
const reconnectBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.5, 1.5] };
/** Upper bound on the spread; a source of more than 225,000 devices names a longer one. */
const spreadMsMax = 900_000;
/** The source sends a heartbeat every 20 s; three missed ones mean a lost connection. */
const silenceMaxMs = 65_000;

/** Upper bound on a line: the source sends names of events, and numbers. */
const lineCharactersMax = 1_024;

/** `spreadMs`: time over which the devices that are woken together spread their check-ins. */
export type Wake = { readonly reason: "connected" } | { readonly reason: "changed"; spreadMs: number };
type ChangeStreamOptions = {
  readonly onWake: (wake: Wake) => void;
  /** Called when the stream is lost or cannot be opened; the next try follows after `retryInMs`. */
  readonly onLost?: ((error: unknown, retryInMs: number) => void) | undefined;
  readonly random?: () => number;
};

const spreadSchema = v.object({
  spreadMs: v.pipe(
    v.number(),
    v.minValue(0),
    v.transform((spreadMs) => Math.min(spreadMs, spreadMsMax)),
  ),
});

/** Returns the spread of an event's data; 0 for other data. */
function spreadOf(data: string): number {
  try {
    return v.parse(spreadSchema, JSON.parse(data)).spreadMs;
  } catch {
    return 0;
  }
}

/** Opens the stream once and reads until it ends or stalls. */
async function followOnce(
  connection: Connection,
  signal: AbortSignal,
  onEvent: (event: "open" | "hello" | "wake", spreadMs: number) => void,
): Promise<never> {
  const silence = new AbortController();
  const lost = new SourceError("unreachable", null, `The source was silent for ${silenceMaxMs / 1_000} s`);
  let timer = setTimeout(() => silence.abort(lost), silenceMaxMs);
  try {
    const response = await send(connection, "GET", "/v1/agent/events", {
      signal: AbortSignal.any([signal, silence.signal]),
      timeoutMs: null,
      headers: { accept: "text/event-stream" },
    });
    onEvent("open", 0);
    let rest = "";
    let event = "";
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(lost), silenceMaxMs);
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if ([rest, ...lines].some((line) => line.length > lineCharactersMax))
        throw new SourceError("invalid", response.status, "The event stream has a line that is too long");
      for (const line of lines) {
        if (line.startsWith("event: ")) event = line.slice("event: ".length).trim();
        else if (line.startsWith("data: ") && (event === "wake" || event === "hello"))
          onEvent(event, spreadOf(line.slice("data: ".length)));
      }
    }
    throw new SourceError("unreachable", null, "The source closed the event stream");
  } finally {
    clearTimeout(timer);
    silence.abort(lost);
  }
}

const sleep = (ms: number, signal: AbortSignal): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", done);
    resolve();
  };
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", done);
  if (signal.aborted) done();
  return promise;
};

/** Follows the stream until `signal` is aborted, and reconnects with jitter. Never rejects. */
export async function followChanges(
  connection: Connection,
  signal: AbortSignal,
  options: ChangeStreamOptions,
): Promise<void> {
  const random = options.random ?? Math.random;
  let failures = 0;
  let reconnectSpreadMs = 0;
  const onEvent = (event: "open" | "hello" | "wake", spreadMs: number): void => {
    failures = 0;
    if (event === "hello") reconnectSpreadMs = spreadMs;
    else options.onWake(event === "open" ? { reason: "connected" } : { reason: "changed", spreadMs });
  };
  while (!signal.aborted) {
    try {
      await followOnce(connection, signal, onEvent);
    } catch (error) {
      if (signal.aborted) return;
      const spreadMs = failures === 0 ? Math.round(random() * reconnectSpreadMs) : 0;
      const retryInMs = backoffMs(reconnectBackoff, failures++, random) + spreadMs;
      options.onLost?.(error, retryInMs);
      await sleep(retryInMs, signal);
    }
  }
}
