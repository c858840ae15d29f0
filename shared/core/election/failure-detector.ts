/**
 * When a peer gives its representative up for dead. A device that stalled itself (a timer far too late, a laptop
 * that slept) missed the announcements by its own fault: it grants the silence it cannot have heard.
 */
import { timing } from "../timing.ts";

export class Suspicion {
  #heardAtMs: number;
  #spokeAtMs: number;
  readonly #jitterMs: number;

  /** @param random 0 … 1 */
  constructor(nowMs: number, random: number) {
    this.#heardAtMs = nowMs;
    this.#spokeAtMs = nowMs;
    this.#jitterMs = random * timing.suspicionJitterMs;
  }

  /** Symbols came: they do not name a device. */
  heard(nowMs: number): void {
    this.#heardAtMs = Math.max(this.#heardAtMs, nowMs);
  }

  /** The representative itself said something. */
  spoke(nowMs: number): void {
    this.heard(nowMs);
    this.#spokeAtMs = Math.max(this.#spokeAtMs, nowMs);
  }

  /** This device was not listening for `stalledMs`. */
  doubtSelf(nowMs: number, stalledMs: number): void {
    this.#heardAtMs = Math.min(nowMs, this.#heardAtMs + stalledMs);
    this.#spokeAtMs = Math.min(nowMs, this.#spokeAtMs + stalledMs);
  }

  get suspectsAtMs(): number {
    return this.#heardAtMs + timing.announceEveryMs * timing.suspicionPeriods + this.#jitterMs;
  }

  /** From then on it may have been started anew, and speak as another sender: one announcement before it would be suspected. */
  get mayBeAnewAtMs(): number {
    return this.#spokeAtMs + timing.announceEveryMs * (timing.suspicionPeriods - 1) + this.#jitterMs;
  }
}
