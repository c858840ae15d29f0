/**
 * Replay window of one sender in one session: the accepted ones of the last 4,096 sequences. The
 * algorithm is that of RFC 4303, appendix A2, in 32-bit words.
 *
 * `isFresh` only reads; `accept` moves the window. The caller calls `accept` after the seal was
 * opened: otherwise a forged sequence far ahead would lock out the real sender.
 */
import { limits } from "./limits.ts";

const wordCount = limits.replayWindow / 32;

export class ReplayWindow {
  /** One bit per sequence: sequence s has bit s mod 4,096. */
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

  /** Clears the bits of the sequences from the old highest to the new one. */
  #advance(sequence: number): void {
    if (sequence - this.#highest >= limits.replayWindow) this.#words.fill(0);
    else
      for (let next = this.#highest + 1; next <= sequence; next++)
        this.#words[this.#wordOf(next)]! &= ~(1 << (next & 31));
    this.#highest = sequence;
  }
}
