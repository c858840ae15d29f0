/**
 * Receives the symbols of a session: reassembles chunks, verifies and stores complete ones, and
 * spills partial ones to the disk when memory is full. lan-sessions.ts has opened the frames
 * before.
 */
import type { PackageStore } from "../cache/index.ts";
import { Reassembly } from "../core/reassembly/reassembly.ts";
import { UntrustedSenders } from "../core/reassembly/untrusted-senders.ts";
import { createErasureCode } from "../fec/index.ts";
import { chunkLength } from "../model/manifest.ts";
import type { ChunkCipher, ReceivedSymbol } from "../wire/index.ts";
import type { SessionSizes } from "./ports.ts";

type ChunkReceiverOptions = {
  readonly store: PackageStore;
  readonly sizes: SessionSizes;
  /** Symbol size until `setSymbolSize`. */
  readonly symbolSizeBytes: number;
  /** Decrypts chunks: symbols are parts of the encrypted chunk. */
  readonly cipher: ChunkCipher;
  /** @param sender null: its symbols came from several senders */
  readonly onStored: (chunk: number, sender: string | null) => void;
  /**
   * Called for a chunk with a wrong digest.
   * @param sender null: its symbols came from several senders
   */
  readonly onBadChunk: (chunk: number, sender: string | null) => void;
  readonly onError: (error: unknown) => void;
};

export class ChunkReceiver {
  readonly reassembly: Reassembly;
  readonly untrustedSenders = new UntrustedSenders();
  readonly counters = { symbols: 0, useless: 0, overflow: 0, refused: 0, wrongDigest: 0 };
  readonly #options: ChunkReceiverOptions;
  readonly #store: PackageStore;
  readonly #spillWrites = new Map<number, Promise<void>>();
  readonly #finishing = new Set<number>();
  /**
   * Complete chunks that wait to be verified and written. A burst of repairs completes many at
   * once.
   */
  readonly #ready: number[] = [];
  #writingBytes = 0;

  constructor(options: ChunkReceiverOptions) {
    const { store, sizes } = options;
    this.#options = options;
    this.#store = store;
    this.reassembly = new Reassembly({
      chunkLengthBytes: (chunk) => chunkLength(store.manifest, chunk),
      symbolSizeBytes: options.symbolSizeBytes,
      code: createErasureCode(),
      memoryBytesMax: sizes.partialBytesMax,
    });
  }

  /** Processes a symbol. Returns false if the symbol was dropped because memory is full. */
  accept(symbol: ReceivedSymbol): boolean {
    const { verified } = this.#store;
    const { sizes } = this.#options;
    this.counters.symbols++;
    // A chunk that is being verified and written needs no symbols: reassembly would start again.
    const { chunk } = symbol;
    if (chunk >= verified.size || verified.has(chunk) || this.#finishing.has(chunk)) {
      this.counters.useless++;
      return true;
    }
    if (!this.untrustedSenders.accepts(symbol.chunk, symbol.sender)) {
      this.counters.refused++;
      // Symbols of the representative count as received, used or not.
      return symbol.sender === this.untrustedSenders.leader;
    }
    if (this.reassembly.memoryBytes + this.#writingBytes > sizes.partialBytesMax + sizes.writingBytesMax) {
      this.counters.overflow++;
      return false;
    }
    const placed = this.reassembly.addSymbol(
      symbol.chunk,
      symbol.block,
      symbol.symbol,
      symbol.payload,
      symbol.sender,
    );
    if (placed === "ready") {
      this.#ready.push(symbol.chunk);
      this.#finishReady();
    } else if (placed === "useless") this.counters.useless++;
    for (let spill = this.reassembly.takeSpill(); spill; spill = this.reassembly.takeSpill())
      this.#spill(spill.chunk, spill.bytes);
    return true;
  }

  #spill(chunk: number, bytes: Uint8Array): void {
    // The buffer may be reused, and empty, when the write has ended.
    const lengthBytes = bytes.length;
    this.#writingBytes += lengthBytes;
    const write = this.#writeSpill(chunk, bytes).finally(() => {
      this.#writingBytes -= lengthBytes;
      if (this.#spillWrites.get(chunk) === write) this.#spillWrites.delete(chunk);
      // Chunks that became ready during this write waited only for the write budget. They hold
      // memory that new symbols need.
      this.#finishReady();
    });
    this.#spillWrites.set(chunk, write);
    this.#run(write);
  }

  async #writeSpill(chunk: number, bytes: Uint8Array): Promise<void> {
    try {
      // Returns false if the chunk was stored from another origin meanwhile.
      if (!(await this.#store.writeUnverified(chunk, 0, bytes))) this.reassembly.forget(chunk);
      this.reassembly.recycle(bytes);
    } catch (error) {
      this.reassembly.forget(chunk);
      throw error;
    }
  }

  /**
   * Calls `add` for each block with the number of symbols it is missing. Reports none while the
   * chunk is being written, or if the representative's symbols of it are not accepted.
   * @returns false if no symbol of the chunk was received
   */
  missingSymbols(chunk: number, add: (block: number, count: number) => void): boolean {
    if (this.#finishing.has(chunk) || this.untrustedSenders.isHopeless(chunk)) return true;
    return this.reassembly.missingSymbols(chunk, add);
  }

  /** Notes that the chunk was stored, from any origin. */
  stored(chunk: number): void {
    this.reassembly.forget(chunk);
  }

  #finishReady(): void {
    while (this.#writingBytes < this.#options.sizes.writingBytesMax) {
      const chunk = this.#ready.shift();
      if (chunk === undefined) return;
      this.#run(this.#finish(chunk));
    }
  }

  async #finish(chunk: number): Promise<void> {
    this.#finishing.add(chunk);
    try {
      await this.#verifyAndStore(chunk);
    } finally {
      this.#finishing.delete(chunk);
      this.#finishReady();
    }
  }

  async #verifyAndStore(chunk: number): Promise<void> {
    if (this.reassembly.isSpilled(chunk)) {
      await this.#spillWrites.get(chunk);
      const bytes = this.reassembly.buffer(chunkLength(this.#store.manifest, chunk));
      await this.#store.readRaw(chunk, bytes);
      this.reassembly.restore(chunk, bytes);
    }
    const sender = this.reassembly.senderOf(chunk);
    const encrypted = this.reassembly.take(chunk);
    if (!encrypted) return;
    this.#writingBytes += encrypted.length;
    try {
      if (this.#store.verified.has(chunk)) return;
      const bytes = this.#options.cipher(chunk, encrypted);
      const outcome = await this.#store.writeChunk(chunk, bytes, "multicast");
      if (outcome === "stored") this.#options.onStored(chunk, sender);
      else if (outcome === "wrong-digest") this.#onWrongDigest(chunk, sender);
    } finally {
      this.#writingBytes -= encrypted.length;
      this.reassembly.recycle(encrypted);
      if (this.#store.verified.isFull) this.reassembly.freePool();
    }
  }

  #onWrongDigest(chunk: number, sender: string | null): void {
    this.counters.wrongDigest++;
    this.untrustedSenders.wrong(chunk, sender);
    this.#options.onBadChunk(chunk, sender);
  }

  #run(work: Promise<unknown>): void {
    work.catch(this.#options.onError);
  }
}
