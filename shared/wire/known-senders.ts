/**
 * The senders that a receiver knows in one session: their keys and replay windows, the least recently heard goes first.
 *
 * Only a sender whose frame has opened is added. Whoever lacks the session's key can therefore invent as many senders
 * as he likes without pushing a true one out.
 */
import { ReplayWindow } from "./replay.ts";
import type { Aead, FrameTag } from "./seal.ts";

export type SenderKeys = {
  /** Opens its control frames. */
  readonly aead: Aead;
  /** Proves its symbols. */
  readonly tag: FrameTag;
};
export type KnownSender = SenderKeys & { readonly sender: string; readonly window: ReplayWindow };

export class KnownSenders {
  readonly #sendersMax: number;
  /** In the order in which they were last heard. */
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

  /** Marks a sender as just heard. */
  touch(known: KnownSender): void {
    this.#senders.delete(known.sender);
    this.#senders.set(known.sender, known);
  }

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
