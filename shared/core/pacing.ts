/**
 * A token bucket: how many bytes may leave now so that the rate holds and no burst overruns a receiver's default
 * kernel buffer (208 KiB on Linux, of which a datagram of 1,466 bytes takes 2,304). A burst is one run of datagrams and
 * the rest of a chunk.
 *
 * Timers come late. What a late one left unsent is caught up with, a few bursts of it at most, in bursts of the same
 * size as always, so that the rate holds on a busy machine and a receiver sees nothing unusual.
 */
export const burstBytesMax = 86 * 1_024;
/** A burst at most in so long, so that two are never one. */
const tickMs = 1;
/** Timers fire no sooner than this: at high rates a burst is what flows in so long, and a little more. */
const timerMs = 2.2;
const arrearsMsMax = 12;
const arrearsBurstsMax = 3;

export class TokenBucket {
  #tokensBytes = 0;
  #filledAtMs: number;
  #rateBps: number;
  /** Bytes that left since `#tickAtMs`: one burst a tick. */
  #tickBytes = 0;
  #tickAtMs: number;

  constructor(rateBps: number, nowMs: number) {
    this.#rateBps = rateBps;
    this.#filledAtMs = nowMs;
    this.#tickAtMs = nowMs;
  }

  set rateBps(rateBps: number) {
    this.#rateBps = rateBps;
  }

  /** Bytes that may leave in one go. */
  get burstBytes(): number {
    return Math.max(burstBytesMax, (timerMs * this.#rateBps) / 8_000);
  }

  /** Bytes that may be sent at `nowMs`. */
  available(nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    const arrearsBytes = Math.max(this.burstBytes * arrearsBurstsMax, (arrearsMsMax * this.#rateBps) / 8_000);
    this.#tokensBytes = Math.min(arrearsBytes, this.#tokensBytes + (elapsedMs * this.#rateBps) / 8_000);
    if (nowMs - this.#tickAtMs >= tickMs) {
      this.#tickAtMs = nowMs;
      this.#tickBytes = 0;
    }
    return Math.min(this.#tokensBytes, this.burstBytes - this.#tickBytes);
  }

  /** Takes what was sent; the balance may go below zero by one batch. */
  spend(bytes: number): void {
    this.#tokensBytes -= bytes;
    this.#tickBytes += bytes;
  }

  /** Milliseconds until `bytes` are there. */
  waitMs(bytes: number): number {
    const wantedBytes = Math.min(bytes, this.burstBytes);
    return Math.max(0, ((wantedBytes - this.#tokensBytes) * 8_000) / this.#rateBps);
  }
}
