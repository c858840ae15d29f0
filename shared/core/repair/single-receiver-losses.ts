/**
 * Chunks that a single device misses as a whole. In the middle of a session nothing is sent for one device: a straggler
 * would have the others hear everything twice. At its end a few of them are sent again, for by unicast they would cross
 * the LAN just the same, and only after everybody else was waited for. A device that misses more takes them from others.
 */

/** Of the package's chunks, what one device has sent again at once, and all devices in a session. */
const deviceShare = 1 / 64;
const deviceChunksMin = 4;
const sessionShare = 1 / 16;
const sessionChunksMin = 8;

export class SingleReceiverLosses {
  /** By chunk. */
  readonly #missedBy = new Map<number, string>();
  readonly #deviceMax: number;
  #budget: number;
  #hasChanged = false;

  constructor(chunkCount: number) {
    this.#deviceMax = Math.max(deviceChunksMin, Math.floor(chunkCount * deviceShare));
    this.#budget = Math.max(sessionChunksMin, Math.floor(chunkCount * sessionShare));
  }

  /** Was anything noted or forgotten since the last `take`? Without that another one finds nothing. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /** @param losses pairs of a chunk and the device that asked for it */
  add(losses: Iterable<readonly [number, string]>): void {
    for (const [chunk, device] of losses) {
      this.#missedBy.set(chunk, device);
      this.#hasChanged = true;
    }
  }

  /** Sent again for another reason. */
  forget(chunks: Iterable<number>): void {
    for (const chunk of chunks) if (this.#missedBy.delete(chunk)) this.#hasChanged = true;
  }

  /** What is to be sent again now that everything was sent once. What a device misses too much of stays noted. */
  takeRetransmits(): number[] {
    const counts = new Map<string, number>();
    for (const device of this.#missedBy.values()) counts.set(device, (counts.get(device) ?? 0) + 1);
    const chunks = [...this.#missedBy]
      .filter(([, device]) => counts.get(device)! <= this.#deviceMax)
      .map(([chunk]) => chunk)
      .slice(0, this.#budget);
    this.#budget -= chunks.length;
    this.forget(chunks);
    this.#hasChanged = false;
    return chunks;
  }
}
