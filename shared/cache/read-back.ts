/**
 * Reads chunks back from the disk while the package is still being received, so that little is left
 * to read after the last chunk.
 *
 * A chunk counts as read back if its file was right after a sync. `PackageStore.complete` reads all
 * other chunks.
 */
import { ChunkSet } from "../model/chunk-set.ts";

export class ReadBack {
  /** Chunks read back and right. */
  readonly done: ChunkSet;
  readonly #isIntact: (chunk: number, buffer: Uint8Array) => Promise<boolean>;
  readonly #chunkSizeBytes: number;
  readonly #queued: ChunkSet;
  #running: Promise<void> | null = null;
  #state: "open" | "stopped" = "open";

  /** @param isIntact reads a chunk into the buffer, of one chunk's size, and verifies it */
  constructor(
    size: number,
    chunkSizeBytes: number,
    isIntact: (chunk: number, buffer: Uint8Array) => Promise<boolean>,
  ) {
    this.#chunkSizeBytes = chunkSizeBytes;
    this.done = new ChunkSet(size);
    this.#queued = new ChunkSet(size);
    this.#isIntact = isIntact;
  }

  /** Queues chunks that are synced and in the ledger. */
  add(chunks: Iterable<number>): void {
    for (const chunk of chunks) this.#queued.add(chunk);
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  /** Marks a chunk as not read back, because it changed or was dropped. */
  forget(chunk: number): void {
    this.#queued.delete(chunk);
    this.done.delete(chunk);
  }

  /** Stops after the current chunk. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    await this.#running;
  }

  /** Empties the queue and waits for the current chunk. The caller reads what is not in `done`. */
  async settle(): Promise<void> {
    this.#queued.deleteAll(this.#queued.clone());
    await this.#running;
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(this.#chunkSizeBytes);
    for (
      let chunk = this.#queued.next(0);
      chunk >= 0 && this.#state === "open";
      chunk = this.#queued.next(0)
    ) {
      this.#queued.delete(chunk);
      const isIntact = await this.#isIntact(chunk, buffer).catch(() => false);
      if (isIntact) this.done.add(chunk);
    }
  }
}
