/**
 * Cauchy matrix of the erasure code. The symbols of a block have consecutive numbers: 0 … k-1
 * source, k … 255 repair. The coefficient of source symbol j in repair symbol s is 1 / (s + j) in
 * GF(2^8).
 *
 * The numbers s and j never coincide, and every square submatrix of such a matrix is invertible.
 * Any k symbols therefore rebuild the block.
 */
import { invert, multiply } from "./gf256.ts";

/** Returns the coefficient of a source symbol in a repair symbol. Addition in GF(2^8) is XOR. */
export const coefficient = (repair: number, source: number): number => invert(repair ^ source);

/**
 * Returns the inverse, row-major, of the e × e submatrix with the rows `repairs` and the columns
 * `sources`. The closed form (Knuth, TAOCP 1, 1.2.3, exercise 41) takes O(e²). Row i combines the e
 * residuals of the repair symbols to source symbol i.
 */
export function inverseOf(repairs: readonly number[], sources: readonly number[]): Uint8Array {
  const e = repairs.length;
  const rowFactor = sources.map((source) => ratioOf(source, repairs, sources));
  const columnFactor = repairs.map((repair) => ratioOf(repair, sources, repairs));
  const inverse = new Uint8Array(e * e);
  for (let i = 0; i < e; i++)
    for (let j = 0; j < e; j++)
      inverse[i * e + j] = multiply(
        multiply(rowFactor[i]!, columnFactor[j]!),
        coefficient(repairs[j]!, sources[i]!),
      );
  return inverse;
}

/**
 * Product of (element + other) over `others`, divided by the same product over the other elements
 * of `own`.
 */
function ratioOf(element: number, others: readonly number[], own: readonly number[]): number {
  let numerator = 1;
  let denominator = 1;
  for (const other of others) numerator = multiply(numerator, element ^ other);
  for (const other of own) if (other !== element) denominator = multiply(denominator, element ^ other);
  return multiply(numerator, invert(denominator));
}
