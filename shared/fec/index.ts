/** The erasure code and how chunks are cut for it. */
export { blockLayout, type BlockLayout } from "./layout.ts";
export { createErasureCode, type Block, type ErasureCode, type RepairSymbol } from "./reedsolomon.ts";
