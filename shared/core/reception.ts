/**
 * Half-received chunks: puts symbols in their places, counts what each block lacks, and says when a chunk can be
 * rebuilt. It knows nothing of digests and files; whoever owns the disk takes a chunk that is ready, checks it and keeps
 * it. For each chunk it remembers who sent its symbols, or that several did.
 *
 * Memory is bounded whatever the package's size, bitmaps included: beyond `memoryBytesMax` the chunk touched longest ago is set aside
 * (`takeAside`): its bytes go to the disk, its bitmap stays, and symbols that still come for it are kept beside until
 * its blocks are full and it is put together again (`restore`).
 */
import { blockLayout, type BlockLayout, type ErasureCode, type RepairSymbol } from "../fec/index.ts";
import { release } from "./release.ts";

/** An assembly's own objects, beside its bytes and one byte for each symbol and block. */
const assemblyBytes = 512;
/** Spare buffers: beside the bound on memory, but few. */
const spareMax = 4;

export type Placed =
  /** Known already, out of its range, or of no use. */
  | "useless"
  | "placed"
  /** Every block of the chunk can be rebuilt: `take` it. */
  | "ready";

type Assembly = {
  readonly chunk: number;
  readonly layout: BlockLayout;
  /** Who sent the symbols; null: several. */
  sender: string | null;
  /** Null: set aside. */
  bytes: Uint8Array | null;
  /** One byte a source symbol of the chunk: 1 received. */
  readonly received: Uint8Array;
  /** Symbols still lacking, by block. */
  readonly lacks: Uint8Array;
  lackingBlocks: number;
  /** By block. */
  readonly repairs: Map<number, RepairSymbol[]>;
  /** Source symbols that came while the chunk was aside: number in the chunk → bytes. */
  readonly beside: Map<number, Uint8Array>;
  heldBytes: number;
};

export type Aside = { readonly chunk: number; readonly bytes: Uint8Array };

export class Reception {
  readonly #chunkLengthBytes: (chunk: number) => number;
  readonly #symbolSizeBytes: number;
  readonly #code: ErasureCode;
  readonly #memoryBytesMax: number;
  /** In the order of their last touch, oldest first, as far as whole chunks go. */
  readonly #assemblies = new Map<number, Assembly>();
  /** Buffers of chunks that are done, for the next ones: a new one costs a page fault every 4 KiB. */
  readonly #spare: Uint8Array[] = [];
  #memoryBytes = 0;
  #last: Assembly | null = null;

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

  /** Chunks begun and not taken. */
  get openCount(): number {
    return this.#assemblies.size;
  }

  /** The payload is copied. `chunk` must be one that is still missing. */
  place(chunk: number, block: number, symbol: number, payload: Uint8Array, sender = ""): Placed {
    const assembly = this.#last?.chunk === chunk ? this.#last : this.#open(chunk, sender);
    this.#last = assembly;
    const { layout } = assembly;
    if (!layout.hasSymbol(block, symbol, payload.length) || assembly.lacks[block] === 0) return "useless";
    const k = layout.k(block);
    const isPlaced =
      symbol < k
        ? this.#placeSource(assembly, block, symbol, payload)
        : this.#placeRepair(assembly, block, symbol, payload);
    if (!isPlaced) return "useless";
    if (assembly.sender !== sender) assembly.sender = null;
    assembly.lacks[block]!--;
    if (assembly.lacks[block] === 0) assembly.lackingBlocks--;
    return assembly.lackingBlocks === 0 ? "ready" : "placed";
  }

  #open(chunk: number, sender: string): Assembly {
    const known = this.#assemblies.get(chunk);
    if (known) {
      this.#assemblies.delete(chunk);
      this.#assemblies.set(chunk, known);
      return known;
    }
    const lengthBytes = this.#chunkLengthBytes(chunk);
    const layout = blockLayout(lengthBytes, this.#symbolSizeBytes);
    const lacks = new Uint8Array(layout.blockCount);
    for (let block = 0; block < layout.blockCount; block++) lacks[block] = layout.k(block);
    const assembly: Assembly = {
      chunk,
      layout,
      sender,
      bytes: this.#buffer(lengthBytes),
      received: new Uint8Array(layout.symbolCount),
      lacks,
      lackingBlocks: layout.blockCount,
      repairs: new Map(),
      beside: new Map(),
      heldBytes: lengthBytes + layout.symbolCount + layout.blockCount + assemblyBytes,
    };
    this.#memoryBytes += assembly.heldBytes;
    this.#assemblies.set(chunk, assembly);
    return assembly;
  }

  /** What it held before does not matter: every byte is received or rebuilt before `take`. */
  #buffer(lengthBytes: number): Uint8Array {
    return this.#spare.at(-1)?.length === lengthBytes ? this.#spare.pop()! : new Uint8Array(lengthBytes);
  }

  /** Gives back bytes that `take` or `takeAside` handed out: nobody reads them any more. */
  reuse(bytes: Uint8Array): void {
    if (this.#spare.length < spareMax) this.#spare.push(bytes);
    else release(bytes);
  }

  #placeSource(assembly: Assembly, block: number, symbol: number, payload: Uint8Array): boolean {
    const { layout } = assembly;
    const number = layout.firstSymbol(block) + symbol;
    if (assembly.received[number] === 1) return false;
    assembly.received[number] = 1;
    if (assembly.bytes) assembly.bytes.set(payload, layout.symbolOffsetBytes(block, symbol));
    else this.#keep(assembly, payload, (copy) => assembly.beside.set(number, copy));
    return true;
  }

  #placeRepair(assembly: Assembly, block: number, symbol: number, payload: Uint8Array): boolean {
    let repairs = assembly.repairs.get(block);
    if (!repairs) assembly.repairs.set(block, (repairs = []));
    if (repairs.some((known) => known.symbol === symbol)) return false;
    const list = repairs;
    this.#keep(assembly, payload, (copy) => list.push({ symbol, payload: copy }));
    return true;
  }

  #keep(assembly: Assembly, payload: Uint8Array, put: (copy: Uint8Array) => unknown): void {
    put(payload.slice());
    assembly.heldBytes += payload.length;
    this.#memoryBytes += payload.length;
  }

  /** Who sent the symbols of a chunk that is under way; null: several did, or it is not. */
  senderOf(chunk: number): string | null {
    return this.#assemblies.get(chunk)?.sender ?? null;
  }

  /** A chunk to write to the disk to make room, or null when memory is within its bound. */
  takeAside(): Aside | null {
    if (this.#memoryBytes <= this.#memoryBytesMax) return null;
    for (const assembly of this.#assemblies.values()) {
      if (!assembly.bytes || assembly === this.#last || assembly.lackingBlocks === 0) continue;
      const { chunk, bytes } = assembly;
      assembly.bytes = null;
      assembly.heldBytes -= bytes.length;
      this.#memoryBytes -= bytes.length;
      return { chunk, bytes };
    }
    this.#forgetOldestAside();
    return null;
  }

  /** Symbols beside chunks on the disk are bounded too: the oldest such chunk begins anew. */
  #forgetOldestAside(): void {
    for (const assembly of this.#assemblies.values()) {
      if (assembly === this.#last || assembly.bytes) continue;
      this.forget(assembly.chunk);
      return;
    }
  }

  isAside(chunk: number): boolean {
    return this.#assemblies.get(chunk)?.bytes === null;
  }

  /** The bytes of a chunk set aside, read back. */
  restore(chunk: number, bytes: Uint8Array): void {
    const assembly = this.#assemblies.get(chunk);
    if (!assembly || assembly.bytes || bytes.length !== assembly.layout.chunkLengthBytes) return;
    for (const [number, payload] of assembly.beside) bytes.set(payload, number * this.#symbolSizeBytes);
    assembly.beside.clear();
    assembly.bytes = bytes;
    assembly.heldBytes += bytes.length;
    this.#memoryBytes += bytes.length;
  }

  /** The bytes of a ready chunk, rebuilt; it is forgotten here. Null when it is not ready or was set aside. */
  take(chunk: number): Uint8Array | null {
    const assembly = this.#assemblies.get(chunk);
    if (!assembly?.bytes || assembly.lackingBlocks > 0) return null;
    this.forget(chunk);
    const { layout, bytes } = assembly;
    for (const [block, repairs] of assembly.repairs) {
      const missing: number[] = [];
      const first = layout.firstSymbol(block);
      const k = layout.k(block);
      for (let symbol = 0; symbol < k; symbol++)
        if (assembly.received[first + symbol] === 0) missing.push(symbol);
      const offset = layout.blockOffsetBytes(block);
      const view = bytes.subarray(offset, offset + layout.blockLengthBytes(block));
      this.#code.recover({ bytes: view, k, symbolSizeBytes: this.#symbolSizeBytes }, missing, repairs);
    }
    return bytes;
  }

  /** The chunk came another way, or its bytes were wrong. */
  forget(chunk: number): void {
    const assembly = this.#assemblies.get(chunk);
    if (!assembly) return;
    this.#assemblies.delete(chunk);
    this.#memoryBytes -= assembly.heldBytes;
    if (this.#last === assembly) this.#last = null;
  }

  /** Calls `add` with every block that lacks symbols; false when nothing of the chunk was received. */
  lacksOf(chunk: number, add: (block: number, count: number) => void): boolean {
    const assembly = this.#assemblies.get(chunk);
    if (!assembly) return false;
    for (let block = 0; block < assembly.layout.blockCount; block++) {
      if (assembly.lacks[block]! > 0) add(block, assembly.lacks[block]!);
    }
    return true;
  }
}
