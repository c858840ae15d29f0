/**
 * Systematic Reed–Solomon over GF(2^8): repair symbols of a block, and lost source symbols from any k symbols.
 *
 * This is the TypeScript kernel behind `ErasureCode`; a faster one may stand in its place. It knows bytes only: which
 * symbols to ask for, send or keep is decided elsewhere. Wrong arguments are bugs of the caller and throw.
 */
import {
  cauchyOffset,
  addColumn,
  addFourColumns,
  addRow,
  fillTable,
  sharedCauchyTables,
  tableWords,
} from "./products.ts";
import { inverseOf } from "./cauchy.ts";
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
  /**
   * Repair symbols `first` … `first + count - 1` (k … 255) of a block, one after the other in the result. Four cost as
   * much as one: make several at a time.
   */
  repairSymbols(block: Block, first: number, count: number): Uint8Array;
  /**
   * Restores the source symbols `missing` (0 … k-1, ascending) in place; what their bytes held before does not matter.
   * Takes as many of the repairs as it needs; false, and nothing changed, when they are too few.
   */
  recover(block: Block, missing: readonly number[], repairs: readonly RepairSymbol[]): boolean;
};

/**
 * @example
 * const code = createErasureCode();
 * const repairs = code.repairSymbols({ bytes, k: 63, symbolSizeBytes: 1_400 }, 63, 4);
 */
export function createErasureCode(): ErasureCode {
  const sums = new Uint32Array(limits.symbolMaxBytes);
  const solveTables = new Uint32Array(4 * tableWords);
  return {
    repairSymbols: (block, first, count) => makeRepairs(block, first, count, sums),
    recover: (block, missing, repairs) => recover(block, missing, repairs, sums, solveTables),
  };
}

function makeRepairs(block: Block, first: number, count: number, sums: Uint32Array): Uint8Array {
  checkBlock(block);
  if (!Number.isInteger(first) || !Number.isInteger(count) || first < block.k || count < 0)
    throw new Error(
      `Repair symbols ${first} and ${count} more of a block with k = ${block.k}: begin at k or above`,
    );
  if (first + count > limits.codedSymbolsMax)
    throw new Error(`Repair symbol ${first + count - 1}: the last one is ${limits.codedSymbolsMax - 1}`);
  const size = block.symbolSizeBytes;
  const out = new Uint8Array(count * size);
  for (let group = first >>> 2; group * 4 < first + count; group++) {
    sumSources(block, group, sums);
    for (let repair = Math.max(first, group * 4); repair < Math.min(first + count, group * 4 + 4); repair++)
      addRow(sums, repair & 3, out, (repair - first) * size, size);
  }
  return out;
}

/** Sums, for repair symbols 4g … 4g+3 at once, the products of all source symbols. */
function sumSources(block: Block, repairGroup: number, sums: Uint32Array): void {
  const { bytes, k, symbolSizeBytes: size } = block;
  const tables = sharedCauchyTables();
  sums.fill(0, 0, size);
  for (let source = 0; source < k;) {
    const at = source * size;
    const table = cauchyOffset(repairGroup, source);
    if (source + 4 <= k && at + 4 * size <= bytes.length) {
      addFourColumns(sums, tables, table, bytes, at, size);
      source += 4;
    } else {
      addColumn(sums, tables, table, bytes, at, Math.min(size, bytes.length - at));
      source++;
    }
  }
}

function recover(
  block: Block,
  missing: readonly number[],
  repairs: readonly RepairSymbol[],
  sums: Uint32Array,
  solveTables: Uint32Array,
): boolean {
  checkBlock(block);
  if (missing.length === 0) return true;
  if (repairs.length < missing.length) return false;
  const used = repairs.slice(0, missing.length).toSorted((a, b) => a.symbol - b.symbol);
  checkLosses(block, missing, used);
  const size = block.symbolSizeBytes;
  for (const source of missing) block.bytes.fill(0, source * size, (source + 1) * size);

  // What remains of each repair symbol without the sources that are there: a sum of products of the missing ones.
  const remains = new Uint8Array(used.length * size);
  let summedGroup = -1;
  for (const [i, { symbol, payload }] of used.entries()) {
    if (symbol >>> 2 !== summedGroup) sumSources(block, (summedGroup = symbol >>> 2), sums);
    remains.set(payload, i * size);
    addRow(sums, symbol & 3, remains, i * size, size);
  }
  solve(
    block,
    missing,
    inverseOf(
      used.map((repair) => repair.symbol),
      missing,
    ),
    remains,
    sums,
    solveTables,
  );
  return true;
}

/** Multiplies the remains by the inverse, four missing sources at a time, into their places. */
function solve(
  block: Block,
  missing: readonly number[],
  inverse: Uint8Array,
  remains: Uint8Array,
  sums: Uint32Array,
  tables: Uint32Array,
): void {
  const e = missing.length;
  const size = block.symbolSizeBytes;
  const constantAt = (row: number, column: number): number => (row < e ? inverse[row * e + column]! : 0);
  for (let row = 0; row < e; row += 4) {
    sums.fill(0, 0, size);
    for (let column = 0; column < e;) {
      const columns = Math.min(4, e - column);
      for (let c = 0; c < columns; c++)
        fillTable(tables, c * tableWords, [
          constantAt(row, column + c),
          constantAt(row + 1, column + c),
          constantAt(row + 2, column + c),
          constantAt(row + 3, column + c),
        ]);
      if (columns === 4) addFourColumns(sums, tables, 0, remains, column * size, size);
      else
        for (let c = 0; c < columns; c++)
          addColumn(sums, tables, c * tableWords, remains, (column + c) * size, size);
      column += columns;
    }
    for (let r = row; r < Math.min(e, row + 4); r++) {
      const at = missing[r]! * size;
      addRow(sums, r - row, block.bytes, at, Math.min(size, block.bytes.length - at));
    }
  }
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
