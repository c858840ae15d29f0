/** How fast a device really sends while there always is something to send: a busy one is slower than its rate allows. */

/** In less, timers that come late say too much. */
const measuredMsMin = 200;

export class SendRateMeter {
  /** Since then there always was something to send. */
  #sinceMs: number | null = null;
  #symbols = 0;
  #perSecond: number | null = null;

  onSending(nowMs: number): void {
    if (this.#sinceMs === null) this.#begin(nowMs);
  }

  onIdle(): void {
    this.#sinceMs = null;
    this.#perSecond = null;
  }

  onSent(symbols: number): void {
    this.#symbols += symbols;
  }

  /** Symbols per second of late; null when there was nothing to send meanwhile. */
  perSecond(nowMs: number): number | null {
    if (this.#sinceMs !== null && nowMs >= this.#sinceMs + measuredMsMin) {
      this.#perSecond = (this.#symbols * 1_000) / (nowMs - this.#sinceMs);
      this.#begin(nowMs);
    }
    return this.#perSecond;
  }

  #begin(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#symbols = 0;
  }
}
