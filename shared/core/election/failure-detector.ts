/**
 * Failure detector: when a peer suspects its representative and gives it up. A device that stalled
 * (a late timer, a laptop that slept) did not receive announcements through its own fault. The
 * duration of the stall does not count as silence.
 */
import { assert } from "../../model/assert.ts";
import { timing } from "../timing.ts";

export class FailureDetector {
  #activeAtMs: number;
  #announcedAtMs: number;
  readonly #jitterMs: number;

  /** @param random 0 … 1 */
  constructor(nowMs: number, random: number) {
    assert(random >= 0 && random <= 1, "a random number is not from 0 to 1");
    this.#activeAtMs = nowMs;
    this.#announcedAtMs = nowMs;
    this.#jitterMs = random * timing.silenceJitterMs;
  }

  /** Symbols arrived. They do not name a device, so they do not prove the current sender. */
  onActivity(nowMs: number): void {
    this.#activeAtMs = Math.max(this.#activeAtMs, nowMs);
  }

  /** A frame of the representative's known sender arrived. */
  onAnnouncement(nowMs: number): void {
    this.onActivity(nowMs);
    this.#announcedAtMs = Math.max(this.#announcedAtMs, nowMs);
  }

  /** This device did not listen for `stalledMs`; the deadlines move by as much. */
  creditStall(nowMs: number, stalledMs: number): void {
    assert(stalledMs >= 0, "a stall has a negative duration");
    this.#activeAtMs = Math.min(nowMs, this.#activeAtMs + stalledMs);
    this.#announcedAtMs = Math.min(nowMs, this.#announcedAtMs + stalledMs);
  }

  /** Time at which the representative is given up, unless a sign of it arrives first. */
  get suspectsAtMs(): number {
    return this.#activeAtMs + timing.announceEveryMs * timing.silentPeriodsMax + this.#jitterMs;
  }

  /**
   * Time from which a new sender id is accepted as the same representative after a restart. It is
   * one announcement period before the representative would be suspected.
   */
  get acceptsNewSenderAtMs(): number {
    return this.#announcedAtMs + timing.announceEveryMs * (timing.silentPeriodsMax - 1) + this.#jitterMs;
  }
}
