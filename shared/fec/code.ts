/**
 * The erasure code that this machine runs: the SIMD kernel where there is one, else TypeScript. Both give the same bits.
 */
import type { ErasureCode } from "./block.ts";
import { createTypescriptCode } from "./reedsolomon.ts";
import { createSimdCode } from "./simd.ts";

/**
 * @example
 * const code = createErasureCode();
 * const repairs = code.repairSymbols({ bytes, k: 63, symbolSizeBytes: 1_400 }, 63, 4);
 */
export function createErasureCode(): ErasureCode {
  return createSimdCode() ?? createTypescriptCode();
}
