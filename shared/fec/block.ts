/**
 * Block, and the contract of an erasure code over it, with the checks that both kernels share.
 * reedsolomon.ts implements it in TypeScript, simd.ts in WebAssembly. Invalid arguments are bugs of
 * the caller and throw.
 */
import { limits } from "../wire/limits.ts";

/**
 * Block as a view of its chunk: k adjacent symbols. The last one may be short and counts as padded
 * with zeros.
 */
export type Block = {
  readonly bytes: Uint8Array;
  readonly k: number;
  readonly symbolSizeBytes: number;
};
/** Received repair symbol: its number, k … 255, and exactly `symbolSizeBytes` of payload. */
export type RepairSymbol = { readonly symbol: number; readonly payload: Uint8Array };

export type ErasureCode = {
  /**
   * Implementation: the SIMD kernel, or TypeScript where the engine or the processor has no SIMD.
   */
  readonly kernel: "simd" | "typescript";
  /**
   * Returns the repair symbols `first` … `first + count - 1` (k … 255) of a block, concatenated.
   * Four cost about twice as much as one, so callers request several at a time.
   *
   * @throws Error for an invalid block or number
   */
  repairSymbols(block: Block, first: number, count: number): Uint8Array;
  /**
   * Restores the source symbols `missing` (0 … k-1, ascending) in place, with as many of the repair
   * symbols as needed. Their places in the block may hold anything, even the repair symbols.
   * Returns false and changes nothing when the repair symbols are too few.
   *
   * @throws Error for invalid arguments
   */
  recover(block: Block, missing: readonly number[], repairs: readonly RepairSymbol[]): boolean;
};

/** @throws Error for repair symbols that the block does not have */
export function checkRepairs(block: Block, first: number, count: number): void {
  checkBlock(block);
  if (!Number.isInteger(first) || !Number.isInteger(count) || first < block.k || count < 0)
    throw new Error(
      `Repair symbols ${first} and ${count} more of a block with k = ${block.k}: begin at k or above`,
    );
  if (first + count > limits.codedSymbolsMax)
    throw new Error(`Repair symbol ${first + count - 1}: the last one is ${limits.codedSymbolsMax - 1}`);
}

/**
 * Returns the repair symbols that recovery uses, ascending; null when they are too few. Changes
 * nothing.
 */
export function repairsToUse(
  block: Block,
  missing: readonly number[],
  repairs: readonly RepairSymbol[],
): readonly RepairSymbol[] | null {
  checkBlock(block);
  if (repairs.length < missing.length) return null;
  const used = repairs.slice(0, missing.length).toSorted((a, b) => a.symbol - b.symbol);
  checkLosses(block, missing, used);
  return used;
}

function checkBlock({ bytes, k, symbolSizeBytes }: Block): void {
  if (!Number.isInteger(k) || k < 1 || k > limits.blockSymbolsMax)
    throw new Error(`A block of ${k} source symbols: give 1 to ${limits.blockSymbolsMax}`);
  if (!Number.isInteger(symbolSizeBytes) || symbolSizeBytes < 1 || symbolSizeBytes > limits.symbolMaxBytes)
    throw new Error(`Symbols of ${symbolSizeBytes} bytes: give 1 to ${limits.symbolMaxBytes}`);
  if (bytes.length > k * symbolSizeBytes || bytes.length <= (k - 1) * symbolSizeBytes)
    throw new Error(`A block of ${bytes.length} bytes is not ${k} symbols of ${symbolSizeBytes}`);
}

function checkLosses(block: Block, missing: readonly number[], repairs: readonly RepairSymbol[]): void {
  for (const [i, source] of missing.entries())
    if (!Number.isInteger(source) || source >= block.k || source < 0 || (i > 0 && source <= missing[i - 1]!))
      throw new Error(
        `Missing source symbols ${missing.join(", ")}: give ascending numbers below ${block.k}`,
      );
  for (const [i, { symbol, payload }] of repairs.entries()) {
    if (!Number.isInteger(symbol) || symbol < block.k || symbol >= limits.codedSymbolsMax)
      throw new Error(`${symbol} is not a repair symbol of a block with k = ${block.k}`);
    if (i > 0 && symbol === repairs[i - 1]!.symbol) throw new Error(`Repair symbol ${symbol} is given twice`);
    if (payload.length !== block.symbolSizeBytes)
      throw new Error(`Repair symbol ${symbol} has ${payload.length} bytes, not ${block.symbolSizeBytes}`);
  }
}
