/**
 * One half-received chunk: its symbols in their places, what each block lacks, and the rebuilding.
 *
 * A repair symbol waits in the place of a source symbol that is missing: a block never holds more symbols than it has
 * places, so that repairs cost neither memory nor garbage. Only the last symbol of a chunk is shorter than a place, and
 * a chunk that was set aside has none: what has no place is kept apart.
 */
import type { BlockLayout, ErasureCode, RepairSymbol } from "../../fec/index.ts";

/** An assembly's own objects, beside its bytes and what it notes for each symbol and block. */
const partialChunkBytes = 512;
const indexBytes = (layout: BlockLayout): number => layout.symbolCount * 2 + layout.blockCount * 2;

/** What a place holds: nothing, its own source symbol, or a repair symbol, by its number. */
const empty = 0;
const source = 1;
const firstRepair = 2;

type OverflowSymbol = { readonly block: number; readonly symbol: number; readonly payload: Uint8Array };

export class PartialChunk {
  readonly chunk: number;
  /** Who sent the symbols; null: several. */
  sender: string | null;
  /** Null: set aside. */
  bytes: Uint8Array | null;
  heldBytes: number;
  readonly #layout: BlockLayout;
  /** By source symbol of the chunk. */
  readonly #slots: Uint16Array;
  /** Symbols still lacking, by block. */
  readonly #missing: Uint8Array;
  /** By block: 1 when it holds repair symbols. */
  readonly #isRepaired: Uint8Array;
  #incompleteBlocks: number;
  #overflow: OverflowSymbol[] = [];

  constructor(chunk: number, layout: BlockLayout, bytes: Uint8Array, sender: string) {
    this.chunk = chunk;
    this.sender = sender;
    this.bytes = bytes;
    this.heldBytes = bytes.length + indexBytes(layout) + partialChunkBytes;
    this.#layout = layout;
    this.#slots = new Uint16Array(layout.symbolCount);
    this.#missing = new Uint8Array(layout.blockCount);
    this.#isRepaired = new Uint8Array(layout.blockCount);
    this.#incompleteBlocks = layout.blockCount;
    for (let block = 0; block < layout.blockCount; block++) this.#missing[block] = layout.k(block);
  }

  /** Every block can be rebuilt. */
  get isReady(): boolean {
    return this.#incompleteBlocks === 0;
  }

  get lengthBytes(): number {
    return this.#layout.chunkLengthBytes;
  }

  /** False, and nothing changed: known already, out of its range, or of no use. The payload is copied. */
  addSymbol(block: number, symbol: number, payload: Uint8Array): boolean {
    const layout = this.#layout;
    if (!layout.hasSymbol(block, symbol, payload.length) || this.#missing[block] === 0) return false;
    const isPlaced =
      symbol < layout.k(block)
        ? this.#addSource(block, symbol, payload)
        : this.#addRepair(block, symbol, payload);
    if (!isPlaced) return false;
    this.#missing[block]!--;
    if (this.#missing[block] === 0) this.#incompleteBlocks--;
    return true;
  }

  #addSource(block: number, symbol: number, payload: Uint8Array): boolean {
    const number = this.#layout.firstSymbol(block) + symbol;
    const slot = this.#slots[number]!;
    if (slot === source) return false;
    if (this.bytes === null) {
      // The repair symbol in its place is on the disk; another symbol of the block will do as well.
      if (slot !== empty) return false;
      this.#keepOverflow(block, symbol, payload);
    } else {
      const { symbolSizeBytes } = this.#layout;
      const at = number * symbolSizeBytes;
      this.#slots[number] = source;
      if (slot >= firstRepair)
        this.#putRepair(block, slot - firstRepair, this.bytes.subarray(at, at + symbolSizeBytes));
      this.bytes.set(payload, at);
    }
    this.#slots[number] = source;
    return true;
  }

  #addRepair(block: number, symbol: number, payload: Uint8Array): boolean {
    const first = this.#layout.firstSymbol(block);
    const end = first + this.#layout.k(block);
    for (let number = first; number < end; number++)
      if (this.#slots[number] === symbol + firstRepair) return false;
    if (this.#overflow.some((known) => known.block === block && known.symbol === symbol)) return false;
    this.#putRepair(block, symbol, payload);
    return true;
  }

  #putRepair(block: number, symbol: number, payload: Uint8Array): void {
    this.#isRepaired[block] = 1;
    const number = this.bytes === null ? -1 : this.#emptySlot(block);
    if (number < 0) return this.#keepOverflow(block, symbol, payload);
    this.bytes!.set(payload, number * this.#layout.symbolSizeBytes);
    this.#slots[number] = symbol + firstRepair;
  }

  /** A place of a whole symbol's size, or -1. */
  #emptySlot(block: number): number {
    const { chunkLengthBytes, symbolSizeBytes } = this.#layout;
    const first = this.#layout.firstSymbol(block);
    const end = Math.min(first + this.#layout.k(block), Math.floor(chunkLengthBytes / symbolSizeBytes));
    for (let number = first; number < end; number++) if (this.#slots[number] === empty) return number;
    return -1;
  }

  #keepOverflow(block: number, symbol: number, payload: Uint8Array): void {
    this.#overflow.push({ block, symbol, payload: payload.slice() });
    this.heldBytes += payload.length;
  }

  /** The bytes, to be written elsewhere. */
  spill(): Uint8Array | null {
    const { bytes } = this;
    this.bytes = null;
    this.heldBytes -= bytes?.length ?? 0;
    return bytes;
  }

  /** @param bytes what `setAside` gave */
  restore(bytes: Uint8Array): void {
    const isRepair = ({ block, symbol }: OverflowSymbol): boolean => symbol >= this.#layout.k(block);
    for (const { block, symbol, payload } of this.#overflow.filter((each) => !isRepair(each))) {
      bytes.set(payload, this.#layout.symbolOffsetBytes(block, symbol));
      this.heldBytes -= payload.length;
    }
    this.#overflow = this.#overflow.filter(isRepair);
    this.bytes = bytes;
    this.heldBytes += bytes.length;
  }

  /** The chunk, once it is ready and not aside. */
  rebuild(code: ErasureCode): Uint8Array {
    const bytes = this.bytes!;
    for (let block = 0; block < this.#layout.blockCount; block++)
      if (this.#isRepaired[block] === 1) this.#rebuildBlock(code, bytes, block);
    return bytes;
  }

  #rebuildBlock(code: ErasureCode, bytes: Uint8Array, block: number): void {
    const { symbolSizeBytes } = this.#layout;
    const k = this.#layout.k(block);
    const first = this.#layout.firstSymbol(block);
    const missing: number[] = [];
    const repairs: RepairSymbol[] = this.#overflow.filter((each) => each.block === block && each.symbol >= k);
    for (let symbol = 0; symbol < k; symbol++) {
      const slot = this.#slots[first + symbol]!;
      if (slot !== source) missing.push(symbol);
      if (slot < firstRepair) continue;
      const at = (first + symbol) * symbolSizeBytes;
      repairs.push({ symbol: slot - firstRepair, payload: bytes.subarray(at, at + symbolSizeBytes) });
    }
    const offset = this.#layout.blockOffsetBytes(block);
    const view = bytes.subarray(offset, offset + this.#layout.blockLengthBytes(block));
    code.recover({ bytes: view, k, symbolSizeBytes }, missing, repairs);
  }

  /** Calls `add` with every block that lacks symbols. */
  missingSymbols(add: (block: number, count: number) => void): void {
    for (let block = 0; block < this.#layout.blockCount; block++)
      if (this.#missing[block]! > 0) add(block, this.#missing[block]!);
  }
}
