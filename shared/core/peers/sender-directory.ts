/**
 * Which address and which device (as it says) a sender of frames is: for the log, for reports, and to hold a wrong chunk
 * against the device.
 */

/** The one heard first makes room. */
const speakersMax = 1_024;

export type Speaker = { address: string; deviceId: string | null };

export class Speakers {
  readonly #speakers = new Map<string, Speaker>();
  #last: string | null = null;

  /** @param deviceId null: the frame did not name one */
  heard(sender: string, address: string, deviceId: string | null): void {
    // Symbols come from one sender for a long time.
    if (deviceId === null && sender === this.#last) return;
    this.#last = sender;
    const known = this.#speakers.get(sender);
    if (known) {
      known.deviceId ??= deviceId;
      return;
    }
    this.#speakers.set(sender, { address, deviceId });
    if (this.#speakers.size > speakersMax) this.#speakers.delete(this.#speakers.keys().next().value!);
  }

  of(sender: string): Speaker {
    return this.#speakers.get(sender) ?? { address: "unknown", deviceId: null };
  }
}
