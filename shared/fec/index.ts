/** Erasure code, and the layout of a chunk in blocks and symbols. */
export type { Block, ErasureCode, RepairSymbol } from "./block.ts";
export { createErasureCode } from "./code.ts";
export { blockLayout, type BlockLayout } from "./layout.ts";
export { createTypescriptCode } from "./reedsolomon.ts";
export { createSimdCode } from "./simd.ts";
