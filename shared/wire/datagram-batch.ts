/** Datagrams that came together, as the network hands them to the receiver: their symbols are proven in one go. */
import { payloadAt } from "./layout.ts";

export interface DatagramBatch {
  readonly count: number;
  /**
   * Where they lie together, `slotBytes` apart and as long as `lengths` say, so that a kernel can look at all of them; null:
   * each for itself.
   */
  readonly slots: Uint8Array | null;
  readonly lengths: Uint32Array;
  /** A view, like every other: what is to be kept must be copied before the next batch. */
  datagram(index: number): Uint8Array;
  /** Of a symbol's frame. */
  payload(index: number, lengthBytes: number): Uint8Array;
  fromAddress(index: number): string;
}

export const batchDatagramsMax = 64;
/** Larger than any frame, so that an oversized datagram is seen to be one. */
export const slotBytes = 2_048;

/** What is known of each symbol of a batch, four numbers a datagram; a payload of 0 bytes: nothing is proven. */
export const proofAt = { sequence: 0, chunk: 1, blockAndSymbol: 2, payloadBytes: 3 };
export const proofNumbers = 4;

/** One datagram by itself. */
export function batchOf(datagram: Uint8Array, fromAddress: string): DatagramBatch {
  return {
    count: 1,
    slots: null,
    lengths: Uint32Array.of(datagram.length),
    datagram: () => datagram,
    payload: (_, lengthBytes) => datagram.subarray(payloadAt, payloadAt + lengthBytes),
    fromAddress: () => fromAddress,
  };
}
