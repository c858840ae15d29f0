/**
 * Between the symbols of a session and the package on the disk: places symbols, lets a ready chunk be checked and
 * stored, and moves half-received chunks to the disk when memory is full.
 */
import type { PackageStore } from "../cache/index.ts";
import { Reassembly } from "../core/reassembly/reassembly.ts";
import { UntrustedSenders } from "../core/reassembly/untrusted-senders.ts";
import { createErasureCode } from "../fec/index.ts";
import { chunkLength } from "../model/manifest.ts";
import type { ChunkCipher, ReceivedSymbol } from "../wire/index.ts";

/** Half-received chunks in memory. */
const receptionBytesMax = 12 * 1_048_576;
/** Chunks on their way to the disk at a time; ready ones beyond that wait where they are. */
const writingBytesMax = 4 * 1_048_576;

export class ChunkReceiver {
  readonly reassembly: Reassembly;
  readonly untrustedSenders = new UntrustedSenders();
  readonly counters = { symbols: 0, useless: 0, overflow: 0, refused: 0, wrongDigest: 0 };
  readonly #store: PackageStore;
  readonly #spillWrites = new Map<number, Promise<void>>();
  readonly #finishing = new Set<number>();
  readonly #cipher: ChunkCipher;
  readonly #onStored: (chunk: number) => void;
  readonly #onWrong: (chunk: number, sender: string | null) => void;
  readonly #onError: (error: unknown) => void;
  /** They wait to be finished. A burst of repairs makes many at once. */
  readonly #ready: number[] = [];
  #writingBytes = 0;

  constructor(options: {
    store: PackageStore;
    symbolSizeBytes: number;
    /** Symbols are pieces of encrypted chunks. */
    cipher: ChunkCipher;
    onStored: (chunk: number) => void;
    /** A chunk had a wrong digest; null: its symbols came from several senders. */
    onWrong: (chunk: number, sender: string | null) => void;
    onError: (error: unknown) => void;
  }) {
    this.#store = options.store;
    this.#cipher = options.cipher;
    this.#onStored = options.onStored;
    this.#onWrong = options.onWrong;
    this.#onError = options.onError;
    this.reassembly = new Reassembly({
      chunkLengthBytes: (chunk) => chunkLength(options.store.manifest, chunk),
      symbolSizeBytes: options.symbolSizeBytes,
      code: createErasureCode(),
      memoryBytesMax: receptionBytesMax,
    });
  }

  /** False: there is no room for it, it is lost. */
  accept(symbol: ReceivedSymbol): boolean {
    const { verified } = this.#store;
    this.counters.symbols++;
    // One that is being checked and written needs no more: it would begin anew.
    const { chunk } = symbol;
    if (chunk >= verified.size || verified.has(chunk) || this.#finishing.has(chunk)) {
      this.counters.useless++;
      return true;
    }
    if (!this.untrustedSenders.accepts(symbol.chunk, symbol.sender)) {
      this.counters.refused++;
      // What the representative sends has arrived, wanted or not.
      return symbol.sender === this.untrustedSenders.leader;
    }
    if (this.reassembly.memoryBytes + this.#writingBytes > receptionBytesMax + writingBytesMax) {
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
    for (let aside = this.reassembly.takeSpill(); aside; aside = this.reassembly.takeSpill())
      this.#spill(aside.chunk, aside.bytes);
    return true;
  }

  #spill(chunk: number, bytes: Uint8Array): void {
    // They may be given back and empty when it is over.
    const lengthBytes = bytes.length;
    this.#writingBytes += lengthBytes;
    const write = this.#writeSpill(chunk, bytes).finally(() => {
      this.#writingBytes -= lengthBytes;
      if (this.#spillWrites.get(chunk) === write) this.#spillWrites.delete(chunk);
      // What became ready meanwhile waits for nobody else, and takes the memory of what is to come.
      this.#finishReady();
    });
    this.#spillWrites.set(chunk, write);
    this.#run(write);
  }

  async #writeSpill(chunk: number, bytes: Uint8Array): Promise<void> {
    try {
      // Refused when the chunk came another way meanwhile.
      if (!(await this.#store.writeUnverified(chunk, 0, bytes))) this.reassembly.forget(chunk);
      this.reassembly.recycle(bytes);
    } catch (error) {
      this.reassembly.forget(chunk);
      throw error;
    }
  }

  /**
   * What a chunk lacks of the representative's symbols; one that is on its way to the disk, or that the representative
   * sends wrong, lacks nothing. False: nothing of it was received.
   */
  missingSymbols(chunk: number, add: (block: number, count: number) => void): boolean {
    if (this.#finishing.has(chunk) || this.untrustedSenders.isHopeless(chunk)) return true;
    return this.reassembly.missingSymbols(chunk, add);
  }

  /** The chunk is in the store, whichever way it came. */
  stored(chunk: number): void {
    this.reassembly.forget(chunk);
  }

  #finishReady(): void {
    while (this.#writingBytes < writingBytesMax) {
      const chunk = this.#ready.shift();
      if (chunk === undefined) return;
      this.#run(this.#finish(chunk));
    }
  }

  async #finish(chunk: number): Promise<void> {
    this.#finishing.add(chunk);
    try {
      await this.#keep(chunk);
    } finally {
      this.#finishing.delete(chunk);
      this.#finishReady();
    }
  }

  async #keep(chunk: number): Promise<void> {
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
      const bytes = this.#cipher(chunk, encrypted);
      const outcome = await this.#store.writeChunk(chunk, bytes, "multicast");
      if (outcome === "stored") this.#onStored(chunk);
      else if (outcome === "wrong-digest") this.#wrong(chunk, sender);
    } finally {
      this.#writingBytes -= encrypted.length;
      this.reassembly.recycle(encrypted);
      if (this.#store.verified.isFull) this.reassembly.freePool();
    }
  }

  #wrong(chunk: number, sender: string | null): void {
    this.counters.wrongDigest++;
    this.untrustedSenders.wrong(chunk, sender);
    this.#onWrong(chunk, sender);
  }

  #run(work: Promise<unknown>): void {
    work.catch(this.#onError);
  }
}
