/**
 * Arithmetic in GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d) and the generator 2,
 * as in RFC 5510. Addition is XOR.
 */

/** exp[i] = 2^i, stored twice so that a sum of two logarithms needs no modulo. */
const exp = new Uint8Array(510);
const log = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power++) {
  exp[power] = value;
  exp[power + 255] = value;
  log[value] = power;
  value <<= 1;
  if (value > 255) value ^= 0x11d;
}

export const multiply = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : exp[log[a]! + log[b]!]!);

/**
 * Returns the inverse of 1 … 255.
 *
 * @throws Error for zero, which is a bug of the caller
 */
export function invert(a: number): number {
  if (a === 0) throw new Error("Zero has no inverse in GF(2^8)");
  return exp[255 - log[a]!]!;
}
