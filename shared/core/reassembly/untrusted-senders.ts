/**
 * Untrusted senders: whose symbols are accepted for which chunk, after a chunk had a wrong digest.
 * Every holder of the task's key can multicast wrong symbols.
 *
 * A wrong chunk from one sender's symbols is attributed to that sender, and the chunk is not
 * accepted from it again. A wrong chunk from several senders cannot be attributed. From then on the
 * chunk is accepted from the representative alone, so that the next failure can be. Refused chunks
 * come from holders after the end; that is decided elsewhere.
 */
import { assert } from "../../model/assert.ts";

/**
 * Wrong chunks of one sender after which none of its symbols is accepted: a bad sector causes one
 * or two, an attacker many.
 */
const corruptChunksMax = 4;
/**
 * Wrong chunks of several senders after which only the representative's symbols are accepted,
 * because an attacker may change its sender id.
 */
const mixedChunksMax = 4;
/** Upper bound on senders remembered; the one added first is dropped. */
const sendersMax = 256;

export class UntrustedSenders {
  /** Sender id of the representative's announcements. */
  leader: string | null = null;
  readonly #corruptBySender = new Map<string, Set<number>>();
  readonly #mixed = new Set<number>();

  /** Whether symbols of this chunk are accepted from this sender. */
  accepts(chunk: number, sender: string): boolean {
    if (this.#corruptBySender.size === 0 && this.#mixed.size === 0) return true;
    const corrupt = this.#corruptBySender.get(sender);
    if (corrupt !== undefined && (corrupt.size >= corruptChunksMax || corrupt.has(chunk))) return false;
    return sender === this.leader || !(this.#mixed.size >= mixedChunksMax || this.#mixed.has(chunk));
  }

  /**
   * Notes a chunk with a wrong digest.
   * @param sender null: its symbols came from several senders
   */
  wrong(chunk: number, sender: string | null): void {
    if (sender === null) {
      if (this.#mixed.size < mixedChunksMax) this.#mixed.add(chunk);
      return;
    }
    const known = this.#corruptBySender.get(sender);
    if (known) known.add(chunk);
    else this.#corruptBySender.set(sender, new Set([chunk]));
    if (this.#corruptBySender.size > sendersMax)
      this.#corruptBySender.delete(this.#corruptBySender.keys().next().value!);
    assert(this.#corruptBySender.size <= sendersMax, "more senders than sendersMax");
  }

  /** Whether NACKs for this chunk are useless, as the representative's symbols are not accepted. */
  isHopeless(chunk: number): boolean {
    return this.leader !== null && !this.accepts(chunk, this.leader);
  }
}
