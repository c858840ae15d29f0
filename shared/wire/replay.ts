/**
 * The replay window of one sender in one session: which of the last 4,096 sequences were accepted (as RFC 4303,
 * appendix A2, in 32-bit words and without bigints).
 *
 * `isFresh` only asks; `accept` moves the window and is called after the seal opened, else a forged sequence far
 * ahead would shut out the true sender.
 */
import { limits } from "./limits.ts";

const wordCount = limits.replayWindow / 32;

export class ReplayWindow {
  /** The bit of sequence s is bit s mod 4,096. */
  readonly #words = new Uint32Array(wordCount);
  #highest = -1;

  isFresh(sequence: number): boolean {
    if (sequence > this.#highest) return true;
    if (this.#highest - sequence >= limits.replayWindow) return false;
    return (this.#words[this.#wordOf(sequence)]! & (1 << (sequence & 31))) === 0;
  }

  accept(sequence: number): void {
    if (sequence > this.#highest) this.#advance(sequence);
    this.#words[this.#wordOf(sequence)]! |= 1 << (sequence & 31);
  }

  #wordOf(sequence: number): number {
    return (sequence >>> 5) % wordCount;
  }

  /** Clears the bits of every sequence above the highest so far, up to the new highest. */
  #advance(sequence: number): void {
    if (sequence - this.#highest >= limits.replayWindow) this.#words.fill(0);
    else
      for (let next = this.#highest + 1; next <= sequence; next++)
        this.#words[this.#wordOf(next)]! &= ~(1 << (next & 31));
    this.#highest = sequence;
  }
}
