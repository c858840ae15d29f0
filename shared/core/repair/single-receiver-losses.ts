/**
 * Single-receiver losses: chunks that one device alone is missing as a whole. During a session
 * nothing is sent for one device, as every other receiver would get it twice. At the end a few such
 * chunks are retransmitted: by unicast they would cross the LAN just the same, and later. A device
 * that misses more fetches them from holders.
 */
import { assert } from "../../model/assert.ts";

/** Retransmission budget as a share of the package: per device and round, and per session. */
const deviceShare = 1 / 64;
const deviceChunksMin = 4;
const sessionShare = 1 / 16;
const sessionChunksMin = 8;

export class SingleReceiverLosses {
  /** Device that is missing the chunk, by chunk. */
  readonly #missedBy = new Map<number, string>();
  readonly #deviceMax: number;
  #budget: number;
  #hasChanged = false;

  constructor(chunkCount: number) {
    this.#deviceMax = Math.max(deviceChunksMin, Math.floor(chunkCount * deviceShare));
    this.#budget = Math.max(sessionChunksMin, Math.floor(chunkCount * sessionShare));
  }

  /** Whether `takeRetransmits` may find anything new since its last call. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /**
   * Adds chunks that one device asked for.
   * @param losses pairs of a chunk and its device
   */
  add(losses: Iterable<readonly [number, string]>): void {
    for (const [chunk, device] of losses) {
      this.#missedBy.set(chunk, device);
      this.#hasChanged = true;
    }
  }

  /** Removes chunks that were retransmitted for another reason. */
  forget(chunks: Iterable<number>): void {
    for (const chunk of chunks) if (this.#missedBy.delete(chunk)) this.#hasChanged = true;
  }

  /**
   * Removes and returns the chunks to retransmit, once everything was sent. Chunks of a device that
   * is missing too many stay.
   */
  takeRetransmits(): number[] {
    const counts = new Map<string, number>();
    for (const device of this.#missedBy.values()) counts.set(device, (counts.get(device) ?? 0) + 1);
    const chunks = [...this.#missedBy]
      .filter(([, device]) => counts.get(device)! <= this.#deviceMax)
      .map(([chunk]) => chunk)
      .slice(0, this.#budget);
    this.#budget -= chunks.length;
    assert(this.#budget >= 0, "more chunks are retransmitted than the budget allows");
    this.forget(chunks);
    this.#hasChanged = false;
    return chunks;
  }
}
