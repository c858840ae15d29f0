/**
 * Measured send rate of a device while it always has something to send. A busy device sends less
 * than its rate allows.
 */
import { assert } from "../../model/assert.ts";

/** Minimum duration of a measurement; in less time, late timers distort it. */
const measuredMsMin = 200;

export class SendRateMeter {
  /** Time since which there was always something to send. */
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
    assert(symbols > 0, "no symbol was sent");
    this.#symbols += symbols;
  }

  /** Returns the last measured symbols per second; null: none since a pause. */
  perSecond(nowMs: number): number | null {
    if (this.#sinceMs !== null && nowMs >= this.#sinceMs + measuredMsMin) {
      this.#perSecond = (this.#symbols * 1_000) / (nowMs - this.#sinceMs);
      assert(this.#perSecond >= 0, "a send rate is negative");
      this.#begin(nowMs);
    }
    return this.#perSecond;
  }

  #begin(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#symbols = 0;
  }
}
