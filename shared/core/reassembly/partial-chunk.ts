/**
 * Partial chunk: the symbols received, the number that each block is missing, and the rebuilding.
 *
 * A repair symbol is stored in the slot of a missing source symbol. A block never holds more
 * symbols than it has slots, so repairs cost neither memory nor garbage. Two kinds have no slot and
 * are kept as overflow: any symbol of a spilled chunk, and a repair symbol if only the short last
 * slot is empty.
 */
import { assert } from "../../model/assert.ts";
import type { BlockLayout, ErasureCode, RepairSymbol } from "../../fec/index.ts";

/** Objects of a partial chunk, in addition to its bytes and the index of symbols and blocks. */
const partialChunkBytes = 512;
const indexBytes = (layout: BlockLayout): number => layout.symbolCount * 2 + layout.blockCount * 2;

/**
 * Content of a slot: nothing, its source symbol, or a repair symbol (`firstRepair` + its number).
 */
const empty = 0;
const source = 1;
const firstRepair = 2;

type OverflowSymbol = { readonly block: number; readonly symbol: number; readonly payload: Uint8Array };

export class PartialChunk {
  readonly chunk: number;
  /** Sender of the symbols; null: several senders. */
  sender: string | null;
  /** Null: spilled. */
  bytes: Uint8Array | null;
  heldBytes: number;
  readonly #layout: BlockLayout;
  /** Content of the slots, by source symbol of the chunk. */
  readonly #slots: Uint16Array;
  /** Number of missing symbols, by block. */
  readonly #missing: Uint8Array;
  /** 1 for a block that holds repair symbols. */
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

  /** Whether every block can be rebuilt. */
  get isReady(): boolean {
    return this.#incompleteBlocks === 0;
  }

  get symbolSizeBytes(): number {
    return this.#layout.symbolSizeBytes;
  }

  get lengthBytes(): number {
    return this.#layout.chunkLengthBytes;
  }

  /**
   * Adds a symbol; the payload is copied. Returns false, without a change, for a duplicate, a
   * symbol out of range, or one that is not needed.
   */
  addSymbol(block: number, symbol: number, payload: Uint8Array): boolean {
    const layout = this.#layout;
    if (!layout.hasSymbol(block, symbol, payload.length) || this.#missing[block] === 0) return false;
    const isPlaced =
      symbol < layout.k(block)
        ? this.#addSource(block, symbol, payload)
        : this.#addRepair(block, symbol, payload);
    if (!isPlaced) return false;
    this.#missing[block]!--;
    assert(this.#incompleteBlocks > 0, "a symbol was added to a complete chunk");
    if (this.#missing[block] === 0) this.#incompleteBlocks--;
    return true;
  }

  #addSource(block: number, symbol: number, payload: Uint8Array): boolean {
    const number = this.#layout.firstSymbol(block) + symbol;
    const slot = this.#slots[number]!;
    if (slot === source) return false;
    if (this.bytes === null) {
      // The repair symbol of this slot is on the disk. Any other symbol of the block serves as
      // well.
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

  /** Returns an empty slot of full symbol size, or -1. */
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

  /** Removes and returns the bytes, to be written to the disk. */
  spill(): Uint8Array | null {
    const { bytes } = this;
    this.bytes = null;
    this.heldBytes -= bytes?.length ?? 0;
    return bytes;
  }

  /** @param bytes result of `spill` */
  restore(bytes: Uint8Array): void {
    const isRepair = ({ block, symbol }: OverflowSymbol): boolean => symbol >= this.#layout.k(block);
    for (const { block, symbol, payload } of this.#overflow.filter((each) => !isRepair(each))) {
      bytes.set(payload, this.#layout.symbolOffsetBytes(block, symbol));
      this.heldBytes -= payload.length;
    }
    assert(
      this.bytes === null && bytes.length === this.lengthBytes,
      "a chunk is restored that was not spilled",
    );
    this.#overflow = this.#overflow.filter(isRepair);
    this.bytes = bytes;
    this.heldBytes += bytes.length;
  }

  /** Rebuilds the chunk in place. The chunk must be ready and not spilled. */
  rebuild(code: ErasureCode): Uint8Array {
    assert(this.bytes !== null && this.isReady, "a chunk is rebuilt that is not ready");
    const { bytes } = this;
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
    assert(repairs.length >= missing.length, "a block is rebuilt from too few symbols");
    code.recover({ bytes: view, k, symbolSizeBytes }, missing, repairs);
  }

  /** Calls `add` with the number of missing symbols of every incomplete block. */
  missingSymbols(add: (block: number, count: number) => void): void {
    for (let block = 0; block < this.#layout.blockCount; block++)
      if (this.#missing[block]! > 0) add(block, this.#missing[block]!);
  }
}
