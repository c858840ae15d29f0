/**
 * Systematic Reed–Solomon code over GF(2^8) in TypeScript: makes repair symbols of a block and
 * restores lost source symbols from any k symbols.
 *
 * Used where SIMD is missing; tests compare the SIMD kernel (simd.ts) with it. The caller decides
 * which symbols to request, send or keep.
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
import { checkRepairs, repairsToUse, type Block, type ErasureCode, type RepairSymbol } from "./block.ts";
import { inverseOf } from "./cauchy.ts";
import { limits } from "../wire/limits.ts";

/** Returns the erasure code in TypeScript. */
export function createTypescriptCode(): ErasureCode {
  const sums = new Uint32Array(limits.symbolMaxBytes);
  const solveTables = new Uint32Array(4 * tableWords);
  return {
    kernel: "typescript",
    repairSymbols: (block, first, count) => makeRepairs(block, first, count, sums),
    recover: (block, missing, repairs) => recover(block, missing, repairs, sums, solveTables),
  };
}

function makeRepairs(block: Block, first: number, count: number, sums: Uint32Array): Uint8Array {
  checkRepairs(block, first, count);
  const size = block.symbolSizeBytes;
  const out = new Uint8Array(count * size);
  for (let group = first >>> 2; group * 4 < first + count; group++) {
    sumSources(block, group, sums);
    for (let repair = Math.max(first, group * 4); repair < Math.min(first + count, group * 4 + 4); repair++)
      addRow(sums, repair & 3, out, (repair - first) * size, size);
  }
  return out;
}

/** Sums the products of all source symbols for repair symbols 4g … 4g+3 at once. */
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
  const used = repairsToUse(block, missing, repairs);
  if (used === null) return false;
  if (used.length === 0) return true;
  const size = block.symbolSizeBytes;
  const residuals = new Uint8Array(used.length * size);
  for (const [i, { payload }] of used.entries()) residuals.set(payload, i * size);
  for (const source of missing) block.bytes.fill(0, source * size, (source + 1) * size);

  // Residuals: each repair symbol less the sources that are present, a sum of products of the
  // missing ones.
  let summedGroup = -1;
  for (const [i, { symbol }] of used.entries()) {
    if (symbol >>> 2 !== summedGroup) sumSources(block, (summedGroup = symbol >>> 2), sums);
    addRow(sums, symbol & 3, residuals, i * size, size);
  }
  solve(
    block,
    missing,
    inverseOf(
      used.map((repair) => repair.symbol),
      missing,
    ),
    residuals,
    sums,
    solveTables,
  );
  return true;
}

/** Multiplies the residuals by the inverse, four missing sources at a time, into the block. */
function solve(
  block: Block,
  missing: readonly number[],
  inverse: Uint8Array,
  residuals: Uint8Array,
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
      if (columns === 4) addFourColumns(sums, tables, 0, residuals, column * size, size);
      else
        for (let c = 0; c < columns; c++)
          addColumn(sums, tables, c * tableWords, residuals, (column + c) * size, size);
      column += columns;
    }
    for (let r = row; r < Math.min(e, row + 4); r++) {
      const at = missing[r]! * size;
      addRow(sums, r - row, block.bytes, at, Math.min(size, block.bytes.length - at));
    }
  }
}
