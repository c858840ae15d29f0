/**
 * Reassembly: collects symbols into partial chunks (partial-chunk.ts) and reports when a chunk can
 * be rebuilt. It knows neither digests nor files: the caller takes a ready chunk, checks it and
 * stores it. It notes for each chunk which sender its symbols came from, or that there were
 * several.
 *
 * Memory is bounded for a package of any size, bookkeeping included. Above `memoryBytesMax` the
 * chunk touched longest ago is spilled (`takeSpill`): its bytes go to the disk, its bookkeeping
 * stays. Symbols that still arrive for it are kept as overflow until its blocks are full and it is
 * restored (`restore`).
 */
import { assert } from "../../model/assert.ts";
import { blockLayout, type BlockLayout, type ErasureCode } from "../../fec/index.ts";
import { PartialChunk } from "./partial-chunk.ts";
import { freeBuffer } from "../../model/free-buffer.ts";

export type AddResult =
  /** A duplicate, out of range, or not needed. */
  | "useless"
  | "placed"
  /** Every block of the chunk can be rebuilt: call `take`. */
  | "ready";

export type Spill = { readonly chunk: number; readonly bytes: Uint8Array };

export class Reassembly {
  readonly #chunkLengthBytes: (chunk: number) => number;
  #symbolSizeBytes: number;
  readonly #code: ErasureCode;
  readonly #memoryBytesMax: number;
  /** By last touch, oldest first. A run of symbols of one chunk counts as one touch. */
  readonly #partials = new Map<number, PartialChunk>();
  /** By chunk length, for symbols of the session's size. */
  readonly #layouts = new Map<number, BlockLayout>();
  /**
   * Buffers of finished chunks for the next ones, of one length and within the bound on memory. A
   * new buffer costs a page fault every 4 KiB, and frequent allocation fragments the process's
   * memory.
   */
  readonly #pool: Uint8Array[] = [];
  #poolBytes = 0;
  #memoryBytes = 0;
  #last: PartialChunk | null = null;

  /**
   * @param options.chunkLengthBytes length of every chunk that `addSymbol` will get
   * @param options.symbolSizeBytes until `setSymbolSize`
   */
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
    assert(options.symbolSizeBytes > 0, "symbols have no size");
  }

  /**
   * Notes the size of the symbols that the representative sends from now on. Partial chunks of
   * another size start from nothing, because no symbol or repair of theirs will follow.
   */
  setSymbolSize(bytes: number): void {
    if (bytes === this.#symbolSizeBytes) return;
    this.#symbolSizeBytes = bytes;
    this.#layouts.clear();
    for (const partial of this.#partials.values())
      if (!partial.isReady && partial.symbolSizeBytes !== bytes) this.forget(partial.chunk);
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Chunk of the last symbol; null: it was taken or forgotten since. */
  get currentChunk(): number | null {
    return this.#last?.chunk ?? null;
  }

  /** Number of chunks started and not taken. */
  get openCount(): number {
    return this.#partials.size;
  }

  /**
   * Adds a symbol of a chunk that is still missing. The payload is copied.
   * @param sender id under which the symbol was sent
   */
  addSymbol(chunk: number, block: number, symbol: number, payload: Uint8Array, sender = ""): AddResult {
    let partial = this.#last?.chunk === chunk ? this.#last : this.#partials.get(chunk);
    if (partial === undefined) {
      const layout = this.#layoutOf(this.#chunkLengthBytes(chunk));
      // A symbol of another size, for example of a representative that was not received yet.
      if (!layout.hasSymbol(block, symbol, payload.length)) return "useless";
      partial = this.#open(chunk, layout, sender);
    }
    if (partial !== this.#last) this.#touch(partial);
    const before = partial.heldBytes;
    if (!partial.addSymbol(block, symbol, payload)) return "useless";
    this.#memoryBytes += partial.heldBytes - before;
    if (partial.sender !== sender) partial.sender = null;
    return partial.isReady ? "ready" : "placed";
  }

  #touch(partial: PartialChunk): void {
    this.#partials.delete(partial.chunk);
    this.#partials.set(partial.chunk, partial);
    this.#last = partial;
  }

  #open(chunk: number, layout: BlockLayout, sender: string): PartialChunk {
    const partial = new PartialChunk(chunk, layout, this.buffer(layout.chunkLengthBytes), sender);
    this.#memoryBytes += partial.heldBytes;
    return partial;
  }

  #layoutOf(lengthBytes: number): BlockLayout {
    let layout = this.#layouts.get(lengthBytes);
    if (!layout) this.#layouts.set(lengthBytes, (layout = blockLayout(lengthBytes, this.#symbolSizeBytes)));
    return layout;
  }

  /**
   * Returns a buffer for a chunk. Its content is arbitrary: every byte is received or rebuilt
   * before `take`.
   */
  buffer(lengthBytes: number): Uint8Array {
    if (this.#pool.at(-1)?.length !== lengthBytes) return new Uint8Array(lengthBytes);
    this.#poolBytes -= lengthBytes;
    assert(this.#poolBytes >= 0, "the pool gives more than it holds");
    return this.#pool.pop()!;
  }

  /** Takes back a buffer that `take` or `takeSpill` returned and that is not read any more. */
  recycle(bytes: Uint8Array): void {
    const keptBytes = this.#memoryBytes + this.#poolBytes + bytes.length;
    const pooledLength = this.#pool.at(-1)?.length ?? 0;
    // Most chunks of a large file have the longest length; ends of files and packs are shorter.
    if (keptBytes > this.#memoryBytesMax || bytes.length < pooledLength) return freeBuffer(bytes);
    if (bytes.length > pooledLength) this.freePool();
    this.#poolBytes += bytes.length;
    this.#pool.push(bytes);
  }

  /** Frees the pooled buffers: no further chunk is to be received. */
  freePool(): void {
    for (const bytes of this.#pool.splice(0)) freeBuffer(bytes);
    this.#poolBytes = 0;
  }

  /** Sender of the symbols of a partial chunk; null: several senders, or not a partial chunk. */
  senderOf(chunk: number): string | null {
    return this.#partials.get(chunk)?.sender ?? null;
  }

  /**
   * Chunk to write to the disk to make room; null: memory is within its bound, or nothing can be
   * spilled.
   */
  takeSpill(): Spill | null {
    if (this.#memoryBytes <= this.#memoryBytesMax) return null;
    for (const partial of this.#partials.values()) {
      if (!partial.bytes || partial === this.#last || partial.isReady) continue;
      const bytes = partial.spill()!;
      this.#memoryBytes -= bytes.length;
      assert(this.#memoryBytes >= 0, "partial chunks hold less than nothing");
      return { chunk: partial.chunk, bytes };
    }
    this.#forgetOldestSpill();
    return null;
  }

  /**
   * Bounds the overflow symbols of spilled chunks: the oldest such chunk starts from nothing again.
   */
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

  /** Restores a spilled chunk from the bytes read back. */
  restore(chunk: number, bytes: Uint8Array): void {
    const partial = this.#partials.get(chunk);
    if (!partial || partial.bytes || bytes.length !== partial.lengthBytes) return;
    const before = partial.heldBytes;
    partial.restore(bytes);
    this.#memoryBytes += partial.heldBytes - before;
  }

  /** Removes a ready chunk and returns its rebuilt bytes. Null: not ready, or spilled. */
  take(chunk: number): Uint8Array | null {
    const partial = this.#partials.get(chunk);
    if (!partial?.bytes || !partial.isReady) return null;
    this.#remove(partial);
    return partial.rebuild(this.#code);
  }

  /** Drops a chunk that came another way or had a wrong digest. */
  forget(chunk: number): void {
    const partial = this.#partials.get(chunk);
    if (!partial) return;
    this.#remove(partial);
    if (partial.bytes) this.recycle(partial.bytes);
  }

  #remove(partial: PartialChunk): void {
    this.#partials.delete(partial.chunk);
    this.#memoryBytes -= partial.heldBytes;
    assert(this.#memoryBytes >= 0, "partial chunks hold less than nothing");
    if (this.#last === partial) this.#last = null;
  }

  /**
   * Calls `add` with the number of missing symbols of every incomplete block. Returns false when no
   * symbol of the chunk was received.
   */
  missingSymbols(chunk: number, add: (block: number, count: number) => void): boolean {
    const partial = this.#partials.get(chunk);
    partial?.missingSymbols(add);
    return partial !== undefined;
  }
}
