/**
 * Response suppression (RFC 5401): a holder answers a WANT after a random delay, and not at all
 * once enough other holders answered. A WANT that a thousand holders receive gets a handful of
 * answers.
 */
import { assert } from "../../model/assert.ts";
import { timing } from "../timing.ts";

/** Answers of other holders after which this one's is not needed. */
const answersEnough = 3;
/** Upper bound on devices that wait for an answer. */
const pendingMax = 256;

type Pending = { dueAtMs: number; answers: number };

export class WantResponder {
  readonly #pending = new Map<string, Pending>();

  /**
   * Schedules an answer to a device that wants chunks held here.
   * @param random 0 … 1
   */
  onWant(device: string, nowMs: number, random: number): void {
    assert(random >= 0 && random <= 1, "a random number is not from 0 to 1");
    if (this.#pending.has(device) || this.#pending.size >= pendingMax) return;
    this.#pending.set(device, { dueAtMs: nowMs + random * timing.feedbackDelayMsMax, answers: 0 });
  }

  /** Counts the answer of another holder. */
  onHave(toDevice: string): void {
    const pending = this.#pending.get(toDevice);
    if (pending && ++pending.answers >= answersEnough) this.#pending.delete(toDevice);
  }

  /** Removes and returns the devices to answer now. */
  takeDue(nowMs: number): string[] {
    const due = [...this.#pending]
      .filter(([, pending]) => pending.dueAtMs <= nowMs)
      .map(([device]) => device);
    assert(due.length <= pendingMax, "more answers than pendingMax");
    for (const device of due) this.#pending.delete(device);
    return due;
  }

  /** Time of the next answer; infinity: none is pending. */
  get dueAtMs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { dueAtMs } of this.#pending.values()) earliest = Math.min(earliest, dueAtMs);
    return earliest;
  }
}
