/**
 * Queuing delay of the network, measured by ENDs: how much later than the earliest END an END
 * arrives. The queue at a full link shows here long before anything is lost, also when other flows
 * fill it. Only differences count, so clocks need not agree. RFC 6817 (LEDBAT) measures the same.
 */
import { assert } from "../../model/assert.ts";
import { limits } from "../../wire/index.ts";

/**
 * Interval of the minimum. A minimum counts for one to two intervals, because clocks drift by 0.1
 * ms a second.
 */
const memoryMs = 120_000;
/** Increase that is not a queue of a LAN: a clock jumped, or a device slept. */
const jumpMs = 2_000;
const modulus = limits.counterMax + 1;

export class DelayMeter {
  /** Minimum of receiver time minus sender time, in this interval and in the one before. */
  #leastMs: number | null = null;
  #leastBeforeMs: number | null = null;
  #memoryEndsAtMs = Number.NEGATIVE_INFINITY;
  #lastMs = 0;

  /**
   * Measures an END.
   * @param sentAtMs sender's clock, modulo 2^32
   * @param nowMs clock of this device
   * @returns milliseconds by which this END and the one before were delayed at least; one alone may
   * be late by chance
   */
  onEnd(sentAtMs: number, nowMs: number): number {
    const offset = nowMs - sentAtMs;
    const reference = this.#leastMs ?? offset;
    // The sender's clock wraps to 0 after 2^32 ms.
    const transitMs = reference + signed(offset - reference);
    const earliestMs = Math.min(reference, this.#leastBeforeMs ?? reference);
    if (this.#leastMs === null || transitMs - earliestMs > jumpMs) {
      this.#leastMs = transitMs;
      this.#leastBeforeMs = null;
      this.#memoryEndsAtMs = nowMs + memoryMs;
      this.#lastMs = 0;
      return 0;
    }
    if (nowMs >= this.#memoryEndsAtMs) {
      this.#memoryEndsAtMs = nowMs + memoryMs;
      this.#leastBeforeMs = this.#leastMs;
      this.#leastMs = transitMs;
    }
    this.#leastMs = Math.min(this.#leastMs, transitMs);
    const lateMs = transitMs - Math.min(this.#leastMs, this.#leastBeforeMs ?? this.#leastMs);
    const queuedMs = Math.min(lateMs, this.#lastMs);
    assert(queuedMs >= 0, "a queuing delay is negative");
    this.#lastMs = lateMs;
    return Math.round(queuedMs);
  }
}

/** Maps a difference to -2^31 … 2^31. */
const signed = (ms: number): number => {
  const within = ((ms % modulus) + modulus) % modulus;
  return within >= modulus / 2 ? within - modulus : within;
};
