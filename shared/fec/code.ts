/**
 * Choice of the erasure code on this machine: the SIMD kernel if it is available, otherwise
 * TypeScript. Both give the same bits.
 */
import type { ErasureCode } from "./block.ts";
import { createTypescriptCode } from "./reedsolomon.ts";
import { createSimdCode } from "./simd.ts";

/**
 * Returns the fastest erasure code that runs here.
 *
 * @example
 * const code = createErasureCode();
 * const repairs = code.repairSymbols({ bytes, k: 63, symbolSizeBytes: 1_400 }, 63, 4);
 */
export function createErasureCode(): ErasureCode {
  return createSimdCode() ?? createTypescriptCode();
}
