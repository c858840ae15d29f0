/**
 * The held-open stream over which the source wakes a device. It carries no data, only "ask again": so a lost stream
 * costs nothing but time, and every time it opens counts as a wake, because something may have changed before.
 */
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { send, type Connection } from "./request.ts";
import { SourceError } from "./source-error.ts";

/**
 * Back-off after the stream was lost. The widest jitter of all: a thousand devices lose the same
 * source in the same moment.
 */
const reconnectBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.5, 1.5] };
/** The source sends a heartbeat every 20 s: three missed ones mean that the connection is dead. */
const silenceMaxMs = 65_000;

export type WakeReason = "connected" | "changed";
export type WakeStreamOptions = {
  readonly onWake: (reason: WakeReason) => void;
  /** The stream was lost, or could not be opened; it is tried again after `retryInMs`. */
  readonly onLost?: ((error: unknown, retryInMs: number) => void) | undefined;
  readonly random?: () => number;
};

/** Reads until the stream ends. */
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

/** Follows the stream, reconnecting with jitter, until `signal` is aborted. Never rejects. */
export async function followChanges(
  connection: Connection,
  signal: AbortSignal,
  options: WakeStreamOptions,
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
