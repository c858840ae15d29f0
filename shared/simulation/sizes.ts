/** Sizes of a simulated session's buffers, scaled to the small chunks and symbols of a world. */
import type { SessionSizes } from "../device/ports.ts";
import type { WorldOptions } from "./context.ts";
import { burstBytesOf } from "./lan.ts";

/** Partial chunks that a receiver with little memory holds before it spills. */
const littleMemoryChunks = 2;

export function sizesOf({ chunkBytes, symbolBytes, hasLittleMemory }: WorldOptions): SessionSizes {
  return {
    partialBytesMax: hasLittleMemory ? littleMemoryChunks * chunkBytes : 1 << 20,
    writingBytesMax: hasLittleMemory ? chunkBytes : 1 << 20,
    burstBytes: burstBytesOf(symbolBytes),
  };
}
