/**
 * A UDP socket that is read in batches, without an event or an object per datagram: recvmmsg(2) of
 * Linux through bun:ffi. group-receiver.ts decides when to read.
 *
 * One call reads up to 32 messages into reused slots, in which frame-tag.ts verifies symbols
 * without a copy. With UDP_GRO a message may be a run of datagrams, as a sender handed it to its
 * kernel or as the network card merged it. A run costs the kernel little more than one datagram.
 * Bun's own sockets cost 5 µs of native code per datagram, more than all processing of the datagram.
 */
import { ptr, type Pointer } from "bun:ffi";
import {
  bindTo,
  errorNumber,
  fixedBytes,
  pinned,
  errorText,
  libc,
  linux,
  octetsOf,
  openUdp,
  setOption,
  type Libc,
} from "./libc.ts";
import { batchMemory } from "../seal/frame-tag.ts";
import {
  batchDatagramsMax,
  messagesMax,
  messageSlots,
  slotBytes,
  slotCount,
  slotsOf,
  type DatagramBatch,
} from "../../wire/datagram-batch.ts";
import { uint32At } from "../../wire/identity.ts";
import { payloadAt, symbolOverheadBytes } from "../../wire/layout.ts";
import { limits } from "../../wire/limits.ts";
import { MessageMemory, MessageTable } from "./message-table.ts";

export type SocketMemory = {
  /** Share of the receive buffer that unread messages use. */
  readonly filled: number;
  /** Messages that the kernel dropped at a full buffer; null if it does not report them. */
  readonly drops: number | null;
};
export type DatagramSocket = {
  /** Granted size of the kernel's receive buffer. */
  readonly receiveBufferBytes: number;
  /** Null after `close`. */
  memory(): SocketMemory | null;
  /**
   * Reads the messages that have arrived, at most `messagesMax`, and returns their number and that
   * of their datagrams. The next batch of any socket overwrites the bytes of a batch, so `take`
   * must copy what it keeps.
   * @throws Error with the system's reason
   */
  receive(take: (batch: DatagramBatch) => void): { readonly messages: number; readonly datagrams: number };
  close(): void;
};

/** Vectors of a message that is a run: 45 datagrams at an MTU of 1,500 fill an IPv4 packet. */
const runSlots = 45;
/** Length of the datagrams of a run until one of another length arrives: the usual symbol's. */
const firstSegmentBytes = limits.symbolUsualBytes + symbolOverheadBytes;
/** Calls without a run after which messages are expected to be single datagrams. */
const callsWithoutRunMax = 8;
const nothing = { messages: 0, datagrams: 0 };

/**
 * Opens a socket and joins the group; returns null if the system has no recvmmsg (libc.ts).
 * @throws Error with the system's reason when the group cannot be joined
 */
export function openDatagramSocket(options: {
  readonly interfaceAddress: string;
  readonly group: { readonly address: string; readonly port: number };
  readonly receiveBufferBytes: number;
}): DatagramSocket | null {
  const system = libc();
  if (system === null) return null;
  const { interfaceAddress, group } = options;
  const handle = openUdp(system, (opened) => {
    const set = (level: number, name: number, value: Uint8Array | Int32Array): void =>
      setOption(system, opened, level, name, value);
    set(linux.levelSocket, linux.reuseAddress, Int32Array.of(1));
    set(linux.levelSocket, linux.receiveBuffer, Int32Array.of(options.receiveBufferBytes));
    bindTo(system, opened, group.address, group.port);
    const membership = Uint8Array.from([...octetsOf(group.address), ...octetsOf(interfaceAddress)]);
    set(linux.levelIp, linux.addMembership, membership);
    try {
      set(linux.levelUdp, linux.receiveRuns, Int32Array.of(1));
    } catch {
      // Linux before 5.0: every message is one datagram.
    }
  });
  return socketOf(system, handle);
}

/** Datagrams of one run, or of messages with one datagram each, in the slots of the socket. */
class SlotBatch implements DatagramBatch {
  count = 0;
  firstSlot = 0;
  slotStep = 1;
  readonly slots: Uint8Array;
  readonly lengths: Uint32Array;
  readonly #addresses: Uint8Array;
  /** Message of the first datagram, and of all datagrams of a run. */
  #message = 0;
  #isRun = false;
  /** Views of earlier batches, reused because the frames of a stream have the same length. */
  readonly #datagrams: Uint8Array[] = [];
  readonly #payloads: Uint8Array[] = [];
  #lastFrom = -1;
  #lastAddress = "";

  constructor({ slots, addresses }: MessageMemory, lengths: Uint32Array) {
    this.slots = slots;
    this.lengths = lengths;
    this.#addresses = addresses;
  }

  /** Begins with the datagrams of a message, `count` of `segmentBytes` each but for the last. */
  setRun(message: number, count: number, segmentBytes: number, totalBytes: number): void {
    this.count = count;
    this.firstSlot = message * messageSlots;
    this.slotStep = slotsOf(segmentBytes);
    this.#message = message;
    this.#isRun = true;
    this.lengths.fill(segmentBytes, 0, count);
    this.lengths[count - 1] = Math.min(segmentBytes, totalBytes - (count - 1) * segmentBytes);
  }

  /** Begins with a message of one datagram; `addSingle` adds the messages after it. */
  setSingle(message: number, lengthBytes: number): void {
    this.setRun(message, 1, lengthBytes, lengthBytes);
    this.slotStep = messageSlots;
    this.#isRun = false;
  }

  addSingle(lengthBytes: number): void {
    this.lengths[this.count++] = lengthBytes;
  }

  #slot(index: number): number {
    return this.firstSlot + index * this.slotStep;
  }

  datagram(index: number): Uint8Array {
    const slot = this.#slot(index);
    const length = this.lengths[index]!;
    const view = this.#datagrams[slot];
    if (view !== undefined && view.length === length) return view;
    return (this.#datagrams[slot] = this.slots.subarray(slot * slotBytes, slot * slotBytes + length));
  }

  payload(index: number, lengthBytes: number): Uint8Array {
    const slot = this.#slot(index);
    const view = this.#payloads[slot];
    if (view !== undefined && view.length === lengthBytes) return view;
    const at = slot * slotBytes + payloadAt;
    return (this.#payloads[slot] = this.slots.subarray(at, at + lengthBytes));
  }

  /** Caches the last address, because consecutive datagrams nearly always share a sender. */
  fromAddress(index: number): string {
    const message = this.#isRun ? this.#message : this.#message + index;
    const at = message * linux.addressBytes + 4;
    const from = uint32At(this.#addresses, at);
    if (from !== this.#lastFrom) {
      this.#lastFrom = from;
      this.#lastAddress = this.#addresses.subarray(at, at + 4).join(".");
    }
    return this.#lastAddress;
  }
}

/**
 * Messages of a call, as batches. Two tables serve the two ways in which datagrams arrive. Which of
 * them a call uses costs time only: both receive every message whole.
 */
class MessageReader {
  readonly #singles: MessageTable;
  readonly #runs: MessageTable;
  readonly #batch: SlotBatch;
  #table: MessageTable;
  #callsWithoutRun = 0;

  constructor() {
    const memory = batchMemory();
    const messages = new MessageMemory(memory?.slots ?? fixedBytes(slotCount * slotBytes));
    this.#singles = new MessageTable(messages, 1, limits.datagramMaxBytes);
    this.#runs = new MessageTable(messages, runSlots, firstSegmentBytes);
    this.#batch = new SlotBatch(messages, memory?.lengths ?? new Uint32Array(batchDatagramsMax));
    this.#table = this.#singles;
  }

  /** Address of the arguments of the next call. */
  get headersAt(): Pointer {
    return this.#table.headersAt;
  }

  /** Hands over the messages of a call. @returns datagrams */
  take(messages: number, take: (batch: DatagramBatch) => void): number {
    const table = this.#table;
    try {
      return this.#takeFrom(table, messages, take);
    } finally {
      table.reset(messages);
    }
  }

  #takeFrom(table: MessageTable, messages: number, take: (batch: DatagramBatch) => void): number {
    const batch = this.#batch;
    let datagrams = 0;
    let otherSegmentBytes = 0;
    let hasRun = false;
    batch.count = 0;
    const flush = (): void => {
      if (batch.count === 0) return;
      datagrams += batch.count;
      take(batch);
      batch.count = 0;
    };
    for (let message = 0; message < messages; message++) {
      const bytes = table.receivedBytes(message);
      const runSegmentBytes = table.runSegmentBytes(message);
      const segmentBytes = runSegmentBytes || Math.max(1, bytes);
      const count = table.cut(message, segmentBytes);
      if (runSegmentBytes === 0) {
        if (batch.count === 0) batch.setSingle(message, bytes);
        else batch.addSingle(bytes);
        continue;
      }
      hasRun = true;
      if (segmentBytes !== this.#runs.segmentBytes) otherSegmentBytes = segmentBytes;
      flush();
      batch.setRun(message, count, segmentBytes, bytes);
      flush();
    }
    flush();
    this.#choose(hasRun, otherSegmentBytes);
    return datagrams;
  }

  #choose(hasRun: boolean, otherSegmentBytes: number): void {
    if (hasRun) {
      this.#callsWithoutRun = 0;
      this.#table = this.#runs;
      if (otherSegmentBytes > 0) this.#runs.segmentBytes = otherSegmentBytes;
    } else if (++this.#callsWithoutRun >= callsWithoutRunMax) this.#table = this.#singles;
  }
}

function socketOf(system: Libc, handle: number): DatagramSocket {
  const reader = new MessageReader();
  pinned.add(reader);
  let state: "open" | "closed" = "open";
  const isOpen = (): boolean => state === "open";
  return {
    receiveBufferBytes: receiveBufferOf(system, handle),
    memory: () => (isOpen() ? memoryOf(system, handle) : null),
    receive(take) {
      if (!isOpen()) return nothing;
      const messages = system.recvmmsg(handle, reader.headersAt, messagesMax, linux.dontWait, null);
      if (messages < 0) {
        const error = errorNumber(system);
        if (error === linux.errorAgain || error === linux.errorInterrupted) return nothing;
        throw new Error(errorText(system));
      }
      return { messages, datagrams: reader.take(messages, take) };
    },
    close() {
      if (!isOpen()) return;
      state = "closed";
      system.close(handle);
      pinned.delete(reader);
    },
  };
}

function receiveBufferOf(system: Libc, handle: number): number {
  const value = new Int32Array(1);
  const length = Uint32Array.of(4);
  system.getsockopt(handle, linux.levelSocket, linux.receiveBuffer, ptr(value), ptr(length));
  // Linux reports twice the usable size (platform/linux.ts).
  return Math.floor(value[0]! / 2);
}

/**
 * Reads SO_MEMINFO: nine numbers, among them the memory of unread messages and its limit. The last
 * one counts dropped messages; old kernels lack it.
 */
function memoryOf(system: Libc, handle: number): SocketMemory {
  const values = new Uint32Array(9);
  const length = Uint32Array.of(values.byteLength);
  const result = system.getsockopt(handle, linux.levelSocket, linux.memoryInfo, ptr(values), ptr(length));
  if (result < 0) return { filled: 0, drops: null };
  return {
    filled: values[1]! > 0 ? values[0]! / values[1]! : 0,
    drops: length[0]! >= 36 ? values[8]! : null,
  };
}
