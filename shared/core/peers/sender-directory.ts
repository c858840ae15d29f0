/**
 * Sender directory: address and stated device of every sender of frames. Used by the log, by
 * reports, and to attribute a wrong chunk to a device.
 */

/** Upper bound on senders; the one received first is dropped. */
const sendersMax = 1_024;

export type KnownSender = { address: string; deviceId: string | null };

export class SenderDirectory {
  readonly #senders = new Map<string, KnownSender>();
  #last: string | null = null;

  /** @param deviceId null: the frame did not name a device */
  update(sender: string, address: string, deviceId: string | null): void {
    // Fast path: consecutive symbols nearly always have the same sender.
    if (deviceId === null && sender === this.#last) return;
    this.#last = sender;
    const known = this.#senders.get(sender);
    if (known) {
      known.deviceId ??= deviceId;
      return;
    }
    this.#senders.set(sender, { address, deviceId });
    if (this.#senders.size > sendersMax) this.#senders.delete(this.#senders.keys().next().value!);
  }

  /** Returns address "unknown" for a sender that was not received. */
  lookUp(sender: string): KnownSender {
    return this.#senders.get(sender) ?? { address: "unknown", deviceId: null };
  }
}
