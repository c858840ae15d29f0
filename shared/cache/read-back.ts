/**
 * Reads chunks back from the disk while the package is still coming in, so that little is left to read when the last
 * chunk arrives. A chunk counts as read back when its digest was right in the file, after it was synced; what is
 * wrong or not yet read is left to `PackageStore.complete`, which reads all the rest.
 */
import { ChunkSet } from "../model/chunk-set.ts";

export class ReadBack {
  readonly done: ChunkSet;
  readonly #isRight: (chunk: number, buffer: Uint8Array) => Promise<boolean>;
  readonly #chunkSizeBytes: number;
  readonly #waiting: ChunkSet;
  #running: Promise<void> | null = null;
  #state: "open" | "stopped" = "open";

  /** @param isRight reads a chunk into the buffer, of one chunk's size, and digests it */
  constructor(
    size: number,
    chunkSizeBytes: number,
    isRight: (chunk: number, buffer: Uint8Array) => Promise<boolean>,
  ) {
    this.#chunkSizeBytes = chunkSizeBytes;
    this.done = new ChunkSet(size);
    this.#waiting = new ChunkSet(size);
    this.#isRight = isRight;
  }

  /** These chunks are synced and in the ledger. */
  add(chunks: Iterable<number>): void {
    for (const chunk of chunks) this.#waiting.add(chunk);
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  /** The chunk is no longer what it was. */
  forget(chunk: number): void {
    this.#waiting.delete(chunk);
    this.done.delete(chunk);
  }

  /** Ends after the chunk under way. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    await this.#running;
  }

  /** Nothing waits any more; what is not in `done` is to be read by the caller. */
  async settle(): Promise<void> {
    this.#waiting.deleteAll(this.#waiting.clone());
    await this.#running;
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(this.#chunkSizeBytes);
    for (
      let chunk = this.#waiting.next(0);
      chunk >= 0 && this.#state === "open";
      chunk = this.#waiting.next(0)
    ) {
      this.#waiting.delete(chunk);
      const isRight = await this.#isRight(chunk, buffer).catch(() => false);
      if (isRight) this.done.add(chunk);
    }
  }
}
