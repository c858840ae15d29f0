/**
 * When a holder answers a WANT: after a random moment, and not at all when enough others already did. A question
 * heard by a thousand holders gets a handful of answers.
 */
import { timing } from "../timing.ts";

const answersEnough = 3;
const openMax = 256;

type Open = { dueAtMs: number; heard: number };

export class WantResponder {
  readonly #open = new Map<string, Open>();

  /** A device asked for something that this one holds. @param random 0 … 1 */
  onWant(device: string, nowMs: number, random: number): void {
    if (this.#open.has(device) || this.#open.size >= openMax) return;
    this.#open.set(device, { dueAtMs: nowMs + random * timing.feedbackDelayMsMax, heard: 0 });
  }

  /** Another holder answered. */
  onHave(toDevice: string): void {
    const open = this.#open.get(toDevice);
    if (open && ++open.heard >= answersEnough) this.#open.delete(toDevice);
  }

  /** Devices to answer now. */
  takeDue(nowMs: number): string[] {
    const due = [...this.#open].filter(([, open]) => open.dueAtMs <= nowMs).map(([device]) => device);
    for (const device of due) this.#open.delete(device);
    return due;
  }

  get dueAtMs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const open of this.#open.values()) earliest = Math.min(earliest, open.dueAtMs);
    return earliest;
  }
}
