/**
 * When a peer gives its representative up for dead. A device that stalled itself (a timer far too late, a laptop
 * that slept) missed the announcements by its own fault: it grants the silence it cannot have heard.
 */
import { timing } from "../timing.ts";

export class FailureDetector {
  #activeAtMs: number;
  #announcedAtMs: number;
  readonly #jitterMs: number;

  /** @param random 0 … 1 */
  constructor(nowMs: number, random: number) {
    this.#activeAtMs = nowMs;
    this.#announcedAtMs = nowMs;
    this.#jitterMs = random * timing.silenceJitterMs;
  }

  /** Symbols came: they do not name a device. */
  onActivity(nowMs: number): void {
    this.#activeAtMs = Math.max(this.#activeAtMs, nowMs);
  }

  /** The representative itself said something. */
  onAnnouncement(nowMs: number): void {
    this.onActivity(nowMs);
    this.#announcedAtMs = Math.max(this.#announcedAtMs, nowMs);
  }

  /** This device was not listening for `stalledMs`. */
  creditStall(nowMs: number, stalledMs: number): void {
    this.#activeAtMs = Math.min(nowMs, this.#activeAtMs + stalledMs);
    this.#announcedAtMs = Math.min(nowMs, this.#announcedAtMs + stalledMs);
  }

  get suspectsAtMs(): number {
    return this.#activeAtMs + timing.announceEveryMs * timing.silentPeriodsMax + this.#jitterMs;
  }

  /** From then on it may have been started anew, and speak as another sender: one announcement before it would be suspected. */
  get acceptsNewSenderAtMs(): number {
    return this.#announcedAtMs + timing.announceEveryMs * (timing.silentPeriodsMax - 1) + this.#jitterMs;
  }
}
