/**
 * Whose symbols are taken for which chunk, after chunks were put together that had a wrong digest.
 *
 * Whoever holds the task's key can multicast symbols, also wrong ones. A wrong chunk of one sender's symbols is that
 * sender's fault: nothing more of it is taken from there. A wrong chunk of several senders' symbols tells only that one
 * of them is wrong: from then on the chunk is taken from the representative alone, so that the next failure has a name.
 * It decides nothing about where else to get a chunk: what is refused here comes from peers after the end.
 */

/** Wrong chunks of one sender, and nothing of it is taken any more: a bad sector has one or two, an attacker many. */
const corruptChunksMax = 4;
/** Wrong chunks of several senders, and only the representative's symbols are taken: somebody goes on with it. */
const mixedChunksMax = 4;
/** Senders remembered; the one blamed first is forgotten first. */
const sendersMax = 256;

export class UntrustedSenders {
  /** The sender whose announcements lead the session. */
  leader: string | null = null;
  readonly #corruptBySender = new Map<string, Set<number>>();
  readonly #mixed = new Set<number>();

  /** Are symbols of this chunk taken from this sender? */
  accepts(chunk: number, sender: string): boolean {
    if (this.#corruptBySender.size === 0 && this.#mixed.size === 0) return true;
    const corrupt = this.#corruptBySender.get(sender);
    if (corrupt !== undefined && (corrupt.size >= corruptChunksMax || corrupt.has(chunk))) return false;
    return sender === this.leader || !(this.#mixed.size >= mixedChunksMax || this.#mixed.has(chunk));
  }

  /** A chunk had a wrong digest. @param sender null: its symbols came from several */
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
  }

  /** Asking the representative for this chunk would bring the wrong one again. */
  isHopeless(chunk: number): boolean {
    return this.leader !== null && !this.accepts(chunk, this.leader);
  }
}
