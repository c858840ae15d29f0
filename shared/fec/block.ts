/**
 * A block and what an erasure code does with it: the contract of both kernels (reedsolomon.ts in TypeScript, simd.ts in
 * WebAssembly) and the checks they share. Wrong arguments are bugs of the caller and throw.
 */
import { limits } from "../wire/limits.ts";

/** A block as it lies in its chunk: k symbols side by side, of which the last may be cut short (zeros follow). */
export type Block = {
  readonly bytes: Uint8Array;
  readonly k: number;
  readonly symbolSizeBytes: number;
};
/** A received repair symbol: its number, k … 255, and exactly one symbol size of bytes. */
export type RepairSymbol = { readonly symbol: number; readonly payload: Uint8Array };

export type ErasureCode = {
  /** What computes: the SIMD kernel, or TypeScript where the engine or the processor has no SIMD. */
  readonly kernel: "simd" | "typescript";
  /**
   * Repair symbols `first` … `first + count - 1` (k … 255) of a block, one after the other in the result. Four cost
   * about twice as much as one: make several at a time.
   */
  repairSymbols(block: Block, first: number, count: number): Uint8Array;
  /**
   * Restores the source symbols `missing` (0 … k-1, ascending) in place; what their bytes held before does not matter,
   * and may be the repairs.
   * Takes as many of the repairs as it needs; false, and nothing changed, when they are too few.
   */
  recover(block: Block, missing: readonly number[], repairs: readonly RepairSymbol[]): boolean;
};

/** Refuses repair symbols that the block does not have. */
export function checkRepairs(block: Block, first: number, count: number): void {
  checkBlock(block);
  if (!Number.isInteger(first) || !Number.isInteger(count) || first < block.k || count < 0)
    throw new Error(
      `Repair symbols ${first} and ${count} more of a block with k = ${block.k}: begin at k or above`,
    );
  if (first + count > limits.codedSymbolsMax)
    throw new Error(`Repair symbol ${first + count - 1}: the last one is ${limits.codedSymbolsMax - 1}`);
}

/** The repair symbols that recovery takes, ascending; null when they are too few. Nothing was changed yet. */
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
