/** LAN frames: their types, limits, and the two ends that seal and open them. */
export { batchDatagramsMax, batchOf, type DatagramBatch } from "./datagram-batch.ts";
export { createIncarnation, type Incarnation } from "./incarnation.ts";
export { createFrameWriter as createFrameSender, type FrameWriter as FrameSender } from "./frame-writer.ts";
export {
  createFrameReceiver,
  type Dropped,
  type FrameReceiver,
  type Received,
  type ReceivedControl,
  type ReceivedSymbol,
} from "./receiver.ts";
export { chunkCipherOf, sessionOf, type Aead, type ChunkCipher, type Crypto, type FrameTag } from "./seal.ts";
export { limits } from "./limits.ts";
export { symbolFrameMaxBytes, symbolOverheadBytes } from "./layout.ts";
export { dropReasons, frameTypes, phases, wholeChunks } from "./frames.ts";
export type {
  AnnounceFrame,
  ClaimFrame,
  ControlFrame,
  ControlType,
  DropReason,
  EndFrame,
  FrameHeader,
  FrameOf,
  FrameType,
  HaveFrame,
  NeedFrame,
  Ranges,
  ReportFrame,
  ResignFrame,
  SeekFrame,
  WantFrame,
} from "./frames.ts";
