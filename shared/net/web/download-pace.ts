/** Waits of a WAN download: back-off after a failure, and rate limiting between reads. */
import { setTimeout as delay } from "node:timers/promises";
import type { Backoff } from "../../model/backoff.ts";

/**
 * Back-off after a failed connection to a web site. Half of the delay is random, so that the
 * representatives of many subnets do not return to a restarted web site at once.
 */
export const downloadBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.5, 1] };
/** Upper bound on Retry-After. Web sites under maintenance sometimes send an hour. */
const retryAfterMsMax = 3_600_000;
/** Longest wait before the rate is read again, so that a changed rate takes effect within it. */
const paceSliceMs = 250;

/**
 * Parses Retry-After (RFC 9110 §10.2.3), which is a number of seconds or a date.
 * @returns the delay from `nowMs`, at most an hour; null for any other text
 */
export function parseRetryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  const seconds = /^\s*(\d{1,9})\s*$/.exec(header);
  // Date.parse also accepts text that is not an HTTP date ("-5", "2020").
  const atMs = /^\s*[A-Za-z]{3,9},? /.test(header) ? Date.parse(header) : Number.NaN;
  const askedMs = seconds ? Number(seconds[1]) * 1_000 : atMs - nowMs;
  return Number.isFinite(askedMs) ? Math.min(retryAfterMsMax, Math.max(0, askedMs)) : null;
}

/** Rejects when the signal is aborted. */
export async function sleepMs(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await delay(ms, undefined, { signal });
}

export const waitText = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`;

/**
 * Limits a download to an average rate by waiting after each read. Idle time earns a burst of at
 * most a quarter of a second. A rate of 0 is a pause: the download closes its connection, and
 * `spend` does not wait.
 */
export class DownloadPace {
  readonly #rateBps: () => number | null;
  readonly #nowMs: () => number;
  #freeAtMs = 0;

  constructor(rateBps: () => number | null, nowMs: () => number) {
    this.#rateBps = rateBps;
    this.#nowMs = nowMs;
  }

  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    let owedBits = bytes * 8;
    for (let rate = this.#rateBps(); rate && owedBits > 0; rate = this.#rateBps()) {
      const nowMs = this.#nowMs();
      this.#freeAtMs = Math.max(this.#freeAtMs, nowMs - paceSliceMs);
      const sliceMs = Math.min((owedBits / rate) * 1_000, paceSliceMs);
      owedBits -= (sliceMs * rate) / 1_000;
      this.#freeAtMs += sliceMs;
      // Less than one bit is a rounding error.
      if (owedBits < 1) owedBits = 0;
      if (this.#freeAtMs > nowMs) await sleepMs(this.#freeAtMs - nowMs, signal);
    }
  }
}
