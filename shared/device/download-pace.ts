/** Waits of a download: back-off after a failure, and the rate limit. */
import type { Backoff } from "../model/backoff.ts";
import { sleep, type Clock } from "../model/clock.ts";

/**
 * Back-off after a failed connection to a web site. Half of the delay is random, so that the
 * representatives of many subnets do not return to a restarted web site at once.
 */
export const downloadBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.5, 1] };
/** Longest wait before the rate is read again, so that a changed rate takes effect within it. */
const paceSliceMs = 250;

export const waitText = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`;

/**
 * Limits a download to an average rate by waiting after each read. Idle time earns a burst of at
 * most a quarter of a second. A rate of 0 is a pause: the download closes its connection, and
 * `spend` does not wait.
 */
export class DownloadPace {
  readonly #rateBps: () => number | null;
  readonly #clock: Clock;
  #freeAtMs = 0;

  constructor(rateBps: () => number | null, clock: Clock) {
    this.#rateBps = rateBps;
    this.#clock = clock;
  }

  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    let owedBits = bytes * 8;
    for (let rate = this.#rateBps(); rate && owedBits > 0; rate = this.#rateBps()) {
      const nowMs = this.#clock.nowMs();
      this.#freeAtMs = Math.max(this.#freeAtMs, nowMs - paceSliceMs);
      const sliceMs = Math.min((owedBits / rate) * 1_000, paceSliceMs);
      owedBits -= (sliceMs * rate) / 1_000;
      this.#freeAtMs += sliceMs;
      // Less than one bit is a rounding error.
      if (owedBits < 1) owedBits = 0;
      if (this.#freeAtMs > nowMs) await sleep(this.#clock, this.#freeAtMs - nowMs, signal);
    }
  }
}
