/**
 * How long the network holds datagrams back: a queue before a full link shows here long before anything is lost, and
 * also when others fill it. An END says when it was sent; clocks need not agree, for what counts is how much later than
 * the earliest one an END comes. (The same idea as LEDBAT's queuing delay, RFC 6817.)
 */
import { limits } from "../../wire/index.ts";

/** The earliest is looked for in so long at least, twice as long at most: clocks drift by 0.1 ms a second. */
const memoryMs = 120_000;
/** No queue of a LAN is as long: a clock jumped, or a device slept. */
const jumpMs = 2_000;
const modulus = limits.counterMax + 1;

export class DelayMeter {
  /** Time of the receiver less time of the sender: the earliest of this memory, and of the one before. */
  #leastMs: number | null = null;
  #leastBeforeMs: number | null = null;
  #memoryEndsAtMs = Number.NEGATIVE_INFINITY;
  #lastMs = 0;

  /**
   * An END came.
   * @param sentAtMs by its sender's clock, modulo 2^32
   * @param nowMs by this device's own
   * @returns milliseconds by which it and the one before were held back at least: one alone may be late by chance
   */
  onEnd(sentAtMs: number, nowMs: number): number {
    const offset = nowMs - sentAtMs;
    const reference = this.#leastMs ?? offset;
    // The sender's clock starts again at 0 after 2^32 ms.
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
    this.#lastMs = lateMs;
    return Math.round(queuedMs);
  }
}

/** To -2^31 … 2^31. */
const signed = (ms: number): number => {
  const within = ((ms % modulus) + modulus) % modulus;
  return within >= modulus / 2 ? within - modulus : within;
};
