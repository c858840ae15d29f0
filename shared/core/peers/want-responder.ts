/**
 * When a holder answers a WANT: after a random moment, and not at all when enough others already did. A question
 * heard by a thousand holders gets a handful of answers.
 */
import { timing } from "../timing.ts";

const answersEnough = 3;
const pendingMax = 256;

type Pending = { dueAtMs: number; answers: number };

export class WantResponder {
  readonly #pending = new Map<string, Pending>();

  /** A device asked for something that this one holds. @param random 0 … 1 */
  onWant(device: string, nowMs: number, random: number): void {
    if (this.#pending.has(device) || this.#pending.size >= pendingMax) return;
    this.#pending.set(device, { dueAtMs: nowMs + random * timing.feedbackDelayMsMax, answers: 0 });
  }

  /** Another holder answered. */
  onHave(toDevice: string): void {
    const pending = this.#pending.get(toDevice);
    if (pending && ++pending.answers >= answersEnough) this.#pending.delete(toDevice);
  }

  /** Devices to answer now. */
  takeDue(nowMs: number): string[] {
    const due = [...this.#pending]
      .filter(([, pending]) => pending.dueAtMs <= nowMs)
      .map(([device]) => device);
    for (const device of due) this.#pending.delete(device);
    return due;
  }

  get dueAtMs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { dueAtMs } of this.#pending.values()) earliest = Math.min(earliest, dueAtMs);
    return earliest;
  }
}
