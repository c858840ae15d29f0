/**
 * Batch of datagrams as one system call receives them. The tags of its symbols are verified
 * together, by one call of the kernel.
 */
import { payloadAt } from "./layout.ts";

export interface DatagramBatch {
  readonly count: number;
  /**
   * Memory of `slotCount` slots: datagram i is in slot `firstSlot` + i × `slotStep`, and has
   * `lengths[i]` bytes. A kernel verifies all of them there. Null when each datagram has memory of
   * its own.
   */
  readonly slots: Uint8Array | null;
  readonly firstSlot: number;
  readonly slotStep: number;
  readonly lengths: Uint32Array;
  /** Returns a view that is valid until the next batch: copy bytes that are kept longer. */
  datagram(index: number): Uint8Array;
  /** Returns a view of the payload of a symbol's frame. */
  payload(index: number, lengthBytes: number): Uint8Array;
  fromAddress(index: number): string;
}

/** Datagrams of a batch, and of a run that the kernel merged (UDP_GRO_CNT_MAX of Linux). */
export const batchDatagramsMax = 64;
/** Messages of one system call: each contains one datagram, or a run. */
export const messagesMax = 32;
/**
 * Slots of a message. The odd one spreads the first slots of all messages over the sets of the
 * processor's caches, because messages are often single datagrams.
 */
export const messageSlots = batchDatagramsMax + 1;
export const slotCount = messagesMax * messageSlots;
/** Size of a slot: room for a frame at an MTU of 1,500, with what a kernel overwrites after it. */
export const slotBytes = 2_048;
const overwrittenBytes = 32;

/**
 * Returns the slots that one datagram of a run takes. Adjacent slots hold a long one. A message has
 * slots for all long datagrams of an IPv4 packet.
 */
export const slotsOf = (datagramBytes: number): number =>
  Math.ceil((datagramBytes + overwrittenBytes) / slotBytes);

/**
 * Layout of the result of `FrameTag.prove`: four numbers a datagram. `payloadBytes` is 0 for a
 * datagram that was not verified.
 */
export const proofAt = { sequence: 0, chunk: 1, blockAndSymbol: 2, payloadBytes: 3 };
export const proofNumbers = 4;

/** Returns a batch of one datagram. */
export function batchOf(datagram: Uint8Array, fromAddress: string): DatagramBatch {
  return {
    count: 1,
    slots: null,
    firstSlot: 0,
    slotStep: 1,
    lengths: Uint32Array.of(datagram.length),
    datagram: () => datagram,
    payload: (_, lengthBytes) => datagram.subarray(payloadAt, payloadAt + lengthBytes),
    fromAddress: () => fromAddress,
  };
}
