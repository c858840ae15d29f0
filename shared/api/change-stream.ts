/**
 * The change stream: a held-open response on which the source tells a device to check in again.
 *
 * The stream carries no data, so a lost stream costs only time. Each opening counts as a wake-up,
 * because something may have changed while the stream was closed.
 */
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { send, type Connection } from "./request.ts";
import { SourceError } from "./source-error.ts";

/**
 * Back-off after the stream was lost. The widest jitter of all: a thousand devices lose the same
 * source in the same moment.
 */
const reconnectBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.5, 1.5] };
/** The source sends a heartbeat every 20 s; three missed ones mean a lost connection. */
const silenceMaxMs = 65_000;

export type WakeReason = "connected" | "changed";
type ChangeStreamOptions = {
  readonly onWake: (reason: WakeReason) => void;
  /** Called when the stream is lost or cannot be opened; the next try follows after `retryInMs`. */
  readonly onLost?: ((error: unknown, retryInMs: number) => void) | undefined;
  readonly random?: () => number;
};

/** Opens the stream once and reads until it ends or stalls. */
async function followOnce(
  connection: Connection,
  signal: AbortSignal,
  onWake: (reason: WakeReason) => void,
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
    onWake("connected");
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(lost), silenceMaxMs);
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = (lines.pop() ?? "").slice(-1_024);
      if (lines.some((line) => line.trim() === "event: wake")) onWake("changed");
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
  const onWake = (reason: WakeReason): void => {
    failures = 0;
    options.onWake(reason);
  };
  while (!signal.aborted) {
    try {
      await followOnce(connection, signal, onWake);
    } catch (error) {
      if (signal.aborted) return;
      const retryInMs = backoffMs(reconnectBackoff, failures++, random);
      options.onLost?.(error, retryInMs);
      await sleep(retryInMs, signal);
    }
  }
}
