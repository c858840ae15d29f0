/**
 * A token bucket: how many bytes may leave now so that the rate holds and no burst overruns a receiver's default
 * kernel buffer (208 KiB on Linux, of which a datagram of 1,466 bytes takes 2,304). A burst is one run of datagrams and
 * the rest of a chunk.
 *
 * Timers come late, on a busy machine by tens of milliseconds. What a late one left unsent is caught up with, so that
 * the rate holds: a few bursts of it in bursts of the same size as always, what is beyond that at a little more than
 * the rate, so that a receiver sees nothing unusual. What was not sent because there was nothing to send is no arrears.
 */
export const burstBytesMax = 86 * 1_024;
/** A burst at most in so long, so that two are never one. */
const tickMs = 1;
/** Timers fire no sooner than this: at high rates a burst is what flows in so long, and a little more. */
const timerMs = 2.2;
const catchUpMsMax = 12;
const catchUpBurstsMax = 3;
/** Beyond that: so much more than the rate until nothing is owed, and never more than a late timer can explain. */
const catchUpShare = 0.25;
const owedMsMax = 250;

export class TokenBucket {
  #tokensBytes = 0;
  #owedBytes = 0;
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
    // The network is to be spared: what it did not get before is not its due any more.
    if (rateBps < this.#rateBps) this.#owedBytes = 0;
    this.#rateBps = rateBps;
  }

  /** There is something to send again: the rest before counts for one burst. */
  resume(nowMs: number): void {
    this.available(nowMs);
    this.#tokensBytes = Math.min(this.#tokensBytes, this.burstBytes);
    this.#owedBytes = 0;
  }

  /** Bytes that may leave in one go. */
  get burstBytes(): number {
    return Math.max(burstBytesMax, (timerMs * this.#rateBps) / 8_000);
  }

  /** Bytes that may be sent at `nowMs`. */
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
