/**
 * The Cauchy matrix of the erasure code. Symbols of a block are numbered through: 0 … k-1 source, k … 255 repair. The
 * coefficient of source symbol j in repair symbol s is 1 / (s + j), in GF(2^8): s and j never coincide, every square
 * part of such a matrix can be inverted, and hence any k symbols rebuild the block.
 */
import { invert, multiply } from "./gf256.ts";

/** Addition in GF(2^8) is XOR. */
export const coefficient = (repair: number, source: number): number => invert(repair ^ source);

/**
 * The inverse of the e×e part of the matrix with the rows `repairs` and the columns `sources`, by its closed form
 * (Knuth, TAOCP 1, 1.2.3 exercise 41) in O(e²): row i gives source i from the e sums that the repairs leave. Row-major.
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

/** The product of (element + other) over `others`, divided by that over the rest of the element's own side. */
function ratioOf(element: number, others: readonly number[], own: readonly number[]): number {
  let numerator = 1;
  let denominator = 1;
  for (const other of others) numerator = multiply(numerator, element ^ other);
  for (const other of own) if (other !== element) denominator = multiply(denominator, element ^ other);
  return multiply(numerator, invert(denominator));
}
