/**
 * Token bucket of the multicast: limits the rate and the size of a burst. A receiver's default
 * kernel buffer must hold a burst: 208 KiB on Linux, of which a datagram of 1,466 bytes takes
 * 2,304. A burst is one run of datagrams and the rest of a chunk.
 *
 * Timers are late, on a busy machine by tens of milliseconds. Bytes that a late timer left unsent
 * are caught up with, so that the rate holds. The first of them go out in a few bursts of normal
 * size, the rest at a little more than the rate. A receiver sees nothing unusual. A pause with
 * nothing to send is not caught up with.
 */
import { assert } from "../../model/assert.ts";

/** Normal size of a burst. */
export const burstBytesMax = 86 * 1_024;
/** Interval of bursts: at most one per tick, so that two never merge. */
const tickMs = 1;
/**
 * Interval below which timers do not fire, with a margin: at high rates a burst is what flows in
 * this time.
 */
const timerMs = 2.2;
/** Upper bounds on tokens, as time at the rate and as bursts; the larger one applies. */
const catchUpMsMax = 12;
const catchUpBurstsMax = 3;
/**
 * Catching up beyond that: this share above the rate, and at most what a late timer can explain.
 */
const catchUpShare = 0.25;
const owedMsMax = 250;

export class TokenBucket {
  #tokensBytes = 0;
  #owedBytes = 0;
  #filledAtMs: number;
  #rateBps: number;
  readonly #burstBytes: number;
  /** Bytes sent since `#tickAtMs`: at most one burst per tick. */
  #tickBytes = 0;
  #tickAtMs: number;

  /** @param burstBytes of one run of datagrams and the rest of a chunk */
  constructor(rateBps: number, nowMs: number, burstBytes = burstBytesMax) {
    assert(rateBps > 0 && burstBytes > 0, "a token bucket without a rate or a burst");
    this.#rateBps = rateBps;
    this.#burstBytes = burstBytes;
    this.#filledAtMs = nowMs;
    this.#tickAtMs = nowMs;
  }

  set rateBps(rateBps: number) {
    assert(rateBps > 0, "a rate is not positive");
    // A lower rate is to spare the network: unsent bytes of the old rate are not caught up with.
    if (rateBps < this.#rateBps) this.#owedBytes = 0;
    this.#rateBps = rateBps;
  }

  /** Ends a pause; at most one burst of the tokens of that time is kept. */
  resume(nowMs: number): void {
    this.available(nowMs);
    this.#tokensBytes = Math.min(this.#tokensBytes, this.burstBytes);
    this.#owedBytes = 0;
  }

  /** Upper bound on bytes sent at once. */
  get burstBytes(): number {
    return Math.max(this.#burstBytes, (timerMs * this.#rateBps) / 8_000);
  }

  /** Returns the number of bytes that may be sent at `nowMs`. */
  available(nowMs: number): number {
    this.#fill(Math.max(0, nowMs - this.#filledAtMs));
    this.#filledAtMs = nowMs;
    if (nowMs - this.#tickAtMs >= tickMs) {
      this.#tickAtMs = nowMs;
      this.#tickBytes = 0;
    }
    return Math.min(this.#tokensBytes, this.burstBytes - this.#tickBytes);
  }

  #fill(elapsedMs: number): void {
    const dueBytes = (elapsedMs * this.#rateBps) / 8_000;
    const caughtUpBytes = Math.min(this.#owedBytes, dueBytes * catchUpShare);
    const tokensBytesMax = Math.max(
      this.burstBytes * catchUpBurstsMax,
      (catchUpMsMax * this.#rateBps) / 8_000,
    );
    const tokensBytes = this.#tokensBytes + dueBytes + caughtUpBytes;
    this.#tokensBytes = Math.min(tokensBytesMax, tokensBytes);
    const leftBytes = this.#owedBytes - caughtUpBytes + (tokensBytes - this.#tokensBytes);
    this.#owedBytes = Math.min(leftBytes, (owedMsMax * this.#rateBps) / 8_000);
  }

  /** Takes sent bytes from the bucket. The balance may fall below zero by one batch. */
  spend(bytes: number): void {
    assert(bytes > 0, "nothing is spent");
    this.#tokensBytes -= bytes;
    this.#tickBytes += bytes;
  }

  /** Returns the milliseconds until `bytes`, or one burst, may be sent. */
  waitMs(bytes: number): number {
    const wantedBytes = Math.min(bytes, this.burstBytes);
    return Math.max(0, ((wantedBytes - this.#tokensBytes) * 8_000) / this.#rateBps);
  }
}
