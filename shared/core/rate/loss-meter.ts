/**
 * Loss of a receiver: compares the number of symbols sent, which every END states, with the number
 * received. A receiver that loses a quarter or more is a straggler. It stops sending NACKs, which
 * would cost all receivers time, and completes from holders after the end.
 */
import { assert } from "../../model/assert.ts";

/** Minimum number of sent symbols for a measurement; fewer count with the next END. */
const symbolsMin = 100;
const stragglesPermille = 250;
const recoversPermille = 100;
/** Measurements in a row that make a straggler of a receiver, or the reverse. */
const measurementsInRow = 2;

export class LossMeter {
  #sentBefore: number | null = null;
  #received = 0;
  #lossPermille: number | null = null;
  #inRow = 0;
  #state: "follows" | "straggles" = "follows";

  /** Counts received symbols. */
  received(symbols: number): void {
    assert(symbols >= 0, "a negative number of symbols was received");
    this.#received += symbols;
  }

  /**
   * Measures at an END.
   * @param symbolsSent symbols that the representative has sent in all
   * @returns loss since the last measurement, ‰; null: not measured yet
   */
  onEnd(symbolsSent: number): number | null {
    const before = this.#sentBefore;
    if (before === null || symbolsSent < before) {
      // This device has only joined, or another representative leads.
      this.#sentBefore = symbolsSent;
      this.#received = 0;
      return null;
    }
    const sent = symbolsSent - before;
    if (sent < symbolsMin) return null;
    const lossPermille = Math.round(1_000 * Math.max(0, 1 - this.#received / sent));
    assert(lossPermille >= 0 && lossPermille <= 1_000, "a loss is not from 0 to 1,000 permille");
    this.#sentBefore = symbolsSent;
    this.#received = 0;
    this.#lossPermille = lossPermille;
    const isOpposite =
      this.#state === "follows" ? lossPermille >= stragglesPermille : lossPermille < recoversPermille;
    this.#inRow = isOpposite ? this.#inRow + 1 : 0;
    if (this.#inRow >= measurementsInRow) {
      this.#state = this.#state === "follows" ? "straggles" : "follows";
      this.#inRow = 0;
    }
    return lossPermille;
  }

  /** Loss of the last measurement, ‰; null: not measured yet. */
  get lossPermille(): number | null {
    return this.#lossPermille;
  }

  get straggles(): boolean {
    return this.#state === "straggles";
  }
}
