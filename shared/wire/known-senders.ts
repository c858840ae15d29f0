/**
 * Senders that a receiver knows in one session, with their keys and replay windows. The least
 * recently seen sender is evicted first.
 *
 * Only a sender whose frame was authenticated is added. A device without the session's key can
 * therefore invent any number of senders without evicting a real one.
 */
import { ReplayWindow } from "./replay.ts";
import type { FrameSeal, FrameTag } from "./seal.ts";

export type SenderKeys = {
  /** Opens control frames of the sender. */
  readonly seal: FrameSeal;
  /** Verifies symbols of the sender. */
  readonly tag: FrameTag;
};
export type KnownSender = SenderKeys & { readonly sender: string; readonly window: ReplayWindow };

export class KnownSenders {
  readonly #sendersMax: number;
  /** Senders in the order of their last frame. */
  readonly #senders = new Map<string, KnownSender>();

  constructor(sendersMax: number) {
    this.#sendersMax = sendersMax;
  }

  get count(): number {
    return this.#senders.size;
  }

  get(sender: string): KnownSender | undefined {
    return this.#senders.get(sender);
  }

  /** Makes a sender the most recent one. */
  touch(known: KnownSender): void {
    this.#senders.delete(known.sender);
    this.#senders.set(known.sender, known);
  }

  /** Adds a sender and evicts the least recent one when the table is full. */
  add(sender: string, keys: SenderKeys): KnownSender {
    if (this.#senders.size >= this.#sendersMax) {
      const [oldest] = this.#senders.keys();
      if (oldest !== undefined) this.#senders.delete(oldest);
    }
    const known = { sender, ...keys, window: new ReplayWindow() };
    this.#senders.set(sender, known);
    return known;
  }
}
