/**
 * Half-received chunks: puts symbols in their places (partial-chunk.ts) and says when a chunk can be rebuilt. It knows nothing
 * of digests and files; whoever owns the disk takes a chunk that is ready, checks it and keeps it. For each chunk it
 * remembers who sent its symbols, or that several did.
 *
 * Memory is bounded whatever the package's size, notes included: beyond `memoryBytesMax` the chunk touched longest ago is
 * set aside (`takeAside`): its bytes go to the disk, the notes stay, and symbols that still come for it are kept apart until
 * its blocks are full and it is put together again (`restore`).
 */
import { blockLayout, type BlockLayout, type ErasureCode } from "../../fec/index.ts";
import { PartialChunk } from "./partial-chunk.ts";
import { freeBuffer } from "../../model/free-buffer.ts";

export type AddResult =
  /** Known already, out of its range, or of no use. */
  | "useless"
  | "placed"
  /** Every block of the chunk can be rebuilt: `take` it. */
  | "ready";

export type Spill = { readonly chunk: number; readonly bytes: Uint8Array };

export class Reassembly {
  readonly #chunkLengthBytes: (chunk: number) => number;
  readonly #symbolSizeBytes: number;
  readonly #code: ErasureCode;
  readonly #memoryBytesMax: number;
  /** In the order of their last touch, oldest first, as far as whole chunks go. */
  readonly #partials = new Map<number, PartialChunk>();
  /** By length of a chunk, of which there are two. */
  readonly #layouts = new Map<number, BlockLayout>();
  /**
   * Buffers of chunks that are done, for the next ones, as far as memory is within its bound with them: a new one costs a
   * page fault every 4 KiB, and what comes and goes by the dozen leaves holes in the process's memory.
   */
  readonly #pool: Uint8Array[] = [];
  #poolBytes = 0;
  #memoryBytes = 0;
  #last: PartialChunk | null = null;

  /** @param options.chunkLengthBytes of every chunk number that `place` will be given */
  constructor(options: {
    chunkLengthBytes: (chunk: number) => number;
    symbolSizeBytes: number;
    code: ErasureCode;
    memoryBytesMax: number;
  }) {
    this.#chunkLengthBytes = options.chunkLengthBytes;
    this.#symbolSizeBytes = options.symbolSizeBytes;
    this.#code = options.code;
    this.#memoryBytesMax = options.memoryBytesMax;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** The chunk whose symbol came last, unless it was taken. */
  get currentChunk(): number | null {
    return this.#last?.chunk ?? null;
  }

  /** Chunks begun and not taken. */
  get openCount(): number {
    return this.#partials.size;
  }

  /** The payload is copied. `chunk` must be one that is still missing. */
  addSymbol(chunk: number, block: number, symbol: number, payload: Uint8Array, sender = ""): AddResult {
    const partial = this.#last?.chunk === chunk ? this.#last : this.#open(chunk, sender);
    this.#last = partial;
    const before = partial.heldBytes;
    if (!partial.addSymbol(block, symbol, payload)) return "useless";
    this.#memoryBytes += partial.heldBytes - before;
    if (partial.sender !== sender) partial.sender = null;
    return partial.isReady ? "ready" : "placed";
  }

  #open(chunk: number, sender: string): PartialChunk {
    const known = this.#partials.get(chunk);
    if (known) {
      this.#partials.delete(chunk);
      this.#partials.set(chunk, known);
      return known;
    }
    const lengthBytes = this.#chunkLengthBytes(chunk);
    const partial = new PartialChunk(chunk, this.#layoutOf(lengthBytes), this.buffer(lengthBytes), sender);
    this.#memoryBytes += partial.heldBytes;
    this.#partials.set(chunk, partial);
    return partial;
  }

  #layoutOf(lengthBytes: number): BlockLayout {
    let layout = this.#layouts.get(lengthBytes);
    if (!layout) this.#layouts.set(lengthBytes, (layout = blockLayout(lengthBytes, this.#symbolSizeBytes)));
    return layout;
  }

  /** Bytes for a chunk. What they held before does not matter: every one is received or rebuilt before `take`. */
  buffer(lengthBytes: number): Uint8Array {
    if (this.#pool.at(-1)?.length !== lengthBytes) return new Uint8Array(lengthBytes);
    this.#poolBytes -= lengthBytes;
    return this.#pool.pop()!;
  }

  /** Gives back bytes that `take` or `takeAside` handed out: nobody reads them any more. */
  recycle(bytes: Uint8Array): void {
    const keptBytes = this.#memoryBytes + this.#poolBytes + bytes.length;
    // The last chunk's length is its own.
    if (keptBytes > this.#memoryBytesMax || bytes.length !== this.#chunkLengthBytes(0))
      return freeBuffer(bytes);
    this.#poolBytes += bytes.length;
    this.#pool.push(bytes);
  }

  /** No chunk is to be received any more. */
  freePool(): void {
    for (const bytes of this.#pool.splice(0)) freeBuffer(bytes);
    this.#poolBytes = 0;
  }

  /** Who sent the symbols of a chunk that is under way; null: several did, or it is not. */
  senderOf(chunk: number): string | null {
    return this.#partials.get(chunk)?.sender ?? null;
  }

  /** A chunk to write to the disk to make room, or null when memory is within its bound. */
  takeSpill(): Spill | null {
    if (this.#memoryBytes <= this.#memoryBytesMax) return null;
    for (const partial of this.#partials.values()) {
      if (!partial.bytes || partial === this.#last || partial.isReady) continue;
      const bytes = partial.spill()!;
      this.#memoryBytes -= bytes.length;
      return { chunk: partial.chunk, bytes };
    }
    this.#forgetOldestSpill();
    return null;
  }

  /** Symbols apart from chunks on the disk are bounded too: the oldest such chunk begins anew. */
  #forgetOldestSpill(): void {
    for (const partial of this.#partials.values()) {
      if (partial === this.#last || partial.bytes) continue;
      this.forget(partial.chunk);
      return;
    }
  }

  isSpilled(chunk: number): boolean {
    return this.#partials.get(chunk)?.bytes === null;
  }

  /** The bytes of a chunk set aside, read back. */
  restore(chunk: number, bytes: Uint8Array): void {
    const partial = this.#partials.get(chunk);
    if (!partial || partial.bytes || bytes.length !== partial.lengthBytes) return;
    const before = partial.heldBytes;
    partial.restore(bytes);
    this.#memoryBytes += partial.heldBytes - before;
  }

  /** The bytes of a ready chunk, rebuilt; it is forgotten here. Null when it is not ready or was set aside. */
  take(chunk: number): Uint8Array | null {
    const partial = this.#partials.get(chunk);
    if (!partial?.bytes || !partial.isReady) return null;
    this.#remove(partial);
    return partial.rebuild(this.#code);
  }

  /** The chunk came another way, or its bytes were wrong. */
  forget(chunk: number): void {
    const partial = this.#partials.get(chunk);
    if (!partial) return;
    this.#remove(partial);
    if (partial.bytes) this.recycle(partial.bytes);
  }

  #remove(partial: PartialChunk): void {
    this.#partials.delete(partial.chunk);
    this.#memoryBytes -= partial.heldBytes;
    if (this.#last === partial) this.#last = null;
  }

  /** Calls `add` with every block that lacks symbols; false when nothing of the chunk was received. */
  missingSymbols(chunk: number, add: (block: number, count: number) => void): boolean {
    const partial = this.#partials.get(chunk);
    partial?.missingSymbols(add);
    return partial !== undefined;
  }
}
