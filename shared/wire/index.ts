/**
 * LAN frames: their types and limits, the writer that seals them and the receiver that opens them.
 */
export { batchOf, messagesMax, type DatagramBatch } from "./datagram-batch.ts";
export { createIncarnation, type Incarnation } from "./incarnation.ts";
export { createFrameWriter, type FrameWriter } from "./frame-writer.ts";
export { createFrameReceiver, type FrameReceiver, type Received, type ReceivedSymbol } from "./receiver.ts";
export { chunkCipherOf, sessionOf, type ChunkCipher, type Crypto } from "./seal.ts";
export { limits } from "./limits.ts";
export { controlFrameMaxBytes, itemsWithin, rangesWithin, symbolBytesIn } from "./fitting.ts";
export { symbolOverheadBytes } from "./layout.ts";
export { dropReasons, frameTypes, phases, wholeChunks } from "./frames.ts";
export type {
  AnnounceFrame,
  ControlFrame,
  ControlType,
  DropReason,
  FrameOf,
  FrameType,
  Ranges,
} from "./frames.ts";
