/**
 * A token bucket: how many bytes may leave now so that the rate holds and no burst overruns a receiver's default
 * kernel buffer (208 KiB on Linux, shared by several datagrams' bookkeeping).
 */
export const burstBytesMax = 63 * 1_024;

export class TokenBucket {
  #tokensBytes = 0;
  #filledAtMs: number;
  #rateBps: number;
  readonly #burstBytes: number;

  constructor(rateBps: number, nowMs: number, burstBytes = burstBytesMax) {
    this.#rateBps = rateBps;
    this.#filledAtMs = nowMs;
    this.#burstBytes = burstBytes;
  }

  set rateBps(rateBps: number) {
    this.#rateBps = rateBps;
  }

  /** Bytes that may be sent at `nowMs`. */
  available(nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#tokensBytes = Math.min(this.#burstBytes, this.#tokensBytes + (elapsedMs * this.#rateBps) / 8_000);
    return this.#tokensBytes;
  }

  /** Takes what was sent; the balance may go below zero by one datagram. */
  spend(bytes: number): void {
    this.#tokensBytes -= bytes;
  }

  /** Milliseconds until `bytes` are there. */
  waitMs(bytes: number): number {
    return Math.max(0, ((Math.min(bytes, this.#burstBytes) - this.#tokensBytes) * 8_000) / this.#rateBps);
  }
}
