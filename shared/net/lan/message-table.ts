/**
 * The arguments of recvmmsg(2): one struct mmsghdr for each message, with the vectors that say
 * where its bytes go.
 *
 * A message is one datagram or, with UDP_GRO, a run of datagrams of one length, the last of which
 * may be shorter. The vectors cut a run into slots without a copy if each of them is as long as a
 * datagram of the run. Bytes beyond the vectors go to an overflow area, and `cut` moves them.
 */
import { ptr, type Pointer } from "bun:ffi";
import {
  batchDatagramsMax,
  messagesMax,
  messageSlots,
  slotBytes,
  slotsOf,
} from "../../wire/datagram-batch.ts";
import { fixedBytes, linux } from "./libc.ts";

/** Upper bound on the bytes of a message: an IPv4 packet. */
const messageBytesMax = 65_536;
/** CMSG_SPACE of an int: header of 16 bytes, and the value padded to 8. */
const controlBytes = 24;
/** Offsets in struct mmsghdr. */
const headerAt = {
  name: 0,
  nameLength: 8,
  vectors: 16,
  vectorCount: 24,
  control: 32,
  controlLength: 40,
  received: 56,
};
/** Offsets in struct cmsghdr. */
const controlAt = { level: 8, type: 12, value: 16 };

/** Memory that all tables of a socket share. The kernel writes into all of it but `moved`. */
export class MessageMemory {
  readonly slots: Uint8Array;
  readonly addresses = fixedBytes(messagesMax * linux.addressBytes);
  readonly controls = new DataView(new ArrayBuffer(messagesMax * controlBytes));
  readonly overflow = fixedBytes(messagesMax * messageBytesMax);
  /** A run whose bytes are moved. */
  readonly moved = new Uint8Array(messageBytesMax);

  constructor(slots: Uint8Array) {
    this.slots = slots;
  }
}

export class MessageTable {
  /** Address of the headers. */
  readonly headersAt: Pointer;
  readonly #headers = new DataView(new ArrayBuffer(messagesMax * linux.messageBytes));
  readonly #memory: MessageMemory;
  /** Slots of a message that have a vector of their own. */
  readonly #slotsFilled: number;
  readonly #vectors: DataView;
  #segmentBytes = 0;
  /** Datagrams of a message that arrive in slots without a copy. */
  #inPlaceMax = 0;

  /** @param slotsFilled at most `batchDatagramsMax`; the kernel reads a few vectors fastest */
  constructor(memory: MessageMemory, slotsFilled: number, segmentBytes: number) {
    this.#memory = memory;
    this.#slotsFilled = slotsFilled;
    const vectorsOfMessage = slotsFilled + 1;
    this.#vectors = new DataView(new ArrayBuffer(messagesMax * vectorsOfMessage * linux.vectorBytes));
    const { addresses, controls, overflow } = memory;
    for (let message = 0; message < messagesMax; message++) {
      const header = message * linux.messageBytes;
      const vector = message * vectorsOfMessage * linux.vectorBytes;
      const pointer = (at: number, value: number): void =>
        this.#headers.setBigUint64(header + at, BigInt(value), true);
      pointer(headerAt.name, ptr(addresses) + message * linux.addressBytes);
      pointer(headerAt.nameLength, linux.addressBytes);
      pointer(headerAt.vectors, ptr(this.#vectors) + vector);
      pointer(headerAt.vectorCount, vectorsOfMessage);
      pointer(headerAt.control, ptr(controls) + message * controlBytes);
      pointer(headerAt.controlLength, controlBytes);
      this.#setVector(vector, slotsFilled, ptr(overflow) + message * messageBytesMax, messageBytesMax);
    }
    this.segmentBytes = segmentBytes;
    this.headersAt = ptr(this.#headers);
  }

  #setVector(base: number, index: number, address: number, bytes: number): void {
    const at = base + index * linux.vectorBytes;
    this.#vectors.setBigUint64(at, BigInt(address), true);
    this.#vectors.setBigUint64(at + 8, BigInt(bytes), true);
  }

  /** Length of the datagrams that arrive in slots without a copy. */
  get segmentBytes(): number {
    return this.#segmentBytes;
  }

  set segmentBytes(bytes: number) {
    if (bytes === this.#segmentBytes) return;
    this.#segmentBytes = bytes;
    const step = slotsOf(bytes);
    this.#inPlaceMax = Math.min(this.#slotsFilled, Math.floor(messageSlots / step));
    const vectorsOfMessage = this.#slotsFilled + 1;
    const slotsFrom = ptr(this.#memory.slots);
    for (let message = 0; message < messagesMax; message++)
      for (let index = 0; index < this.#slotsFilled; index++) {
        // Longer datagrams take several slots, and leave vectors that stay empty.
        const isUsed = index < this.#inPlaceMax;
        const slot = slotAt(message, isUsed ? index * step : 0);
        const vector = message * vectorsOfMessage * linux.vectorBytes;
        this.#setVector(vector, index, slotsFrom + slot, isUsed ? bytes : 0);
      }
  }

  /** Asks for the control data again: a call overwrites its length. */
  reset(messages: number): void {
    for (let message = 0; message < messages; message++)
      this.#headers.setUint32(message * linux.messageBytes + headerAt.controlLength, controlBytes, true);
  }

  receivedBytes(message: number): number {
    return this.#headers.getUint32(message * linux.messageBytes + headerAt.received, true);
  }

  /** Returns the length of the datagrams of a run; 0 for a single datagram. */
  runSegmentBytes(message: number): number {
    const { controls } = this.#memory;
    const length = this.#headers.getUint32(message * linux.messageBytes + headerAt.controlLength, true);
    const at = message * controlBytes;
    return length >= 20 &&
      controls.getInt32(at + controlAt.level, true) === linux.levelUdp &&
      controls.getInt32(at + controlAt.type, true) === linux.receiveRuns
      ? Math.max(0, controls.getInt32(at + controlAt.value, true))
      : 0;
  }

  /** Moves a message's bytes to its slots, unless they arrived there. @returns datagrams */
  cut(message: number, segmentBytes: number): number {
    const bytes = this.receivedBytes(message);
    const countMax = Math.min(batchDatagramsMax, Math.floor(messageSlots / slotsOf(segmentBytes)));
    const count = Math.max(1, Math.min(countMax, Math.ceil(bytes / segmentBytes)));
    const isInPlace = count === 1 ? bytes <= this.#segmentBytes : segmentBytes === this.#segmentBytes;
    if (!isInPlace || count > this.#inPlaceMax) this.#move(message, bytes, segmentBytes, count);
    return count;
  }

  #move(message: number, bytes: number, segmentBytes: number, count: number): void {
    const { slots, overflow, moved } = this.#memory;
    const inSlots = Math.min(bytes, this.#inPlaceMax * this.#segmentBytes);
    const stepFrom = slotsOf(this.#segmentBytes);
    for (let slot = 0, at = 0; at < inSlots; slot += stepFrom, at += this.#segmentBytes) {
      const from = slotAt(message, slot);
      moved.set(slots.subarray(from, from + Math.min(this.#segmentBytes, inSlots - at)), at);
    }
    const from = message * messageBytesMax;
    moved.set(overflow.subarray(from, from + bytes - inSlots), inSlots);
    const stepTo = slotsOf(segmentBytes);
    for (let index = 0; index < count; index++) {
      const at = index * segmentBytes;
      const length = Math.min(segmentBytes, bytes - at);
      slots.set(moved.subarray(at, at + length), slotAt(message, index * stepTo));
    }
  }
}

const slotAt = (message: number, slot: number): number => (message * messageSlots + slot) * slotBytes;
