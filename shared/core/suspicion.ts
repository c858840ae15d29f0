/**
 * When a peer gives its representative up for dead. A device that stalled itself (a timer far too late, a laptop
 * that slept) missed the announcements by its own fault: it grants the silence it cannot have heard.
 */
import { timing } from "./timing.ts";

export class Suspicion {
  #heardAtMs: number;
  readonly #jitterMs: number;

  /** @param random 0 … 1 */
  constructor(nowMs: number, random: number) {
    this.#heardAtMs = nowMs;
    this.#jitterMs = random * timing.suspicionJitterMs;
  }

  heard(nowMs: number): void {
    this.#heardAtMs = Math.max(this.#heardAtMs, nowMs);
  }

  /** This device was not listening for `stalledMs`. */
  doubtSelf(nowMs: number, stalledMs: number): void {
    this.#heardAtMs = Math.min(nowMs, this.#heardAtMs + stalledMs);
  }

  get suspectsAtMs(): number {
    return this.#heardAtMs + timing.announceEveryMs * timing.suspicionPeriods + this.#jitterMs;
  }
}
