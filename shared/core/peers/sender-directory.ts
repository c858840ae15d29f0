/**
 * Which address and which device (as it says) a sender of frames is: for the log, for reports, and to hold a wrong chunk
 * against the device.
 */

/** The one heard first makes room. */
const sendersMax = 1_024;

export type KnownSender = { address: string; deviceId: string | null };

export class SenderDirectory {
  readonly #senders = new Map<string, KnownSender>();
  #last: string | null = null;

  /** @param deviceId null: the frame did not name one */
  update(sender: string, address: string, deviceId: string | null): void {
    // Symbols come from one sender for a long time.
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

  lookUp(sender: string): KnownSender {
    return this.#senders.get(sender) ?? { address: "unknown", deviceId: null };
  }
}
