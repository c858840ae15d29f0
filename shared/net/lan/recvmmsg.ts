/**
 * A UDP socket that is read in batches, without an event or an object per datagram: recvmmsg(2) of
 * Linux through bun:ffi. group-receiver.ts decides when to read.
 *
 * One call fills up to 64 reused buffers, in which frame-tag.ts verifies symbols without a copy.
 * Bun's own sockets cost 5 µs of native code per datagram, more than all processing of the
 * datagram.
 */
import { ptr } from "bun:ffi";
import {
  bindTo,
  errorNumber,
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
import { batchDatagramsMax, slotBytes, type DatagramBatch } from "../../wire/datagram-batch.ts";
import { uint32At } from "../../wire/identity.ts";
import { payloadAt } from "../../wire/layout.ts";

export type DatagramSocket = {
  /** Granted size of the kernel's receive buffer. */
  readonly receiveBufferBytes: number;
  /** Datagrams that the kernel dropped at a full buffer; null if it does not report them. */
  kernelDrops(): number | null;
  /**
   * Reads the datagrams that have arrived, at most one batch, and returns their number. The next
   * batch of any socket overwrites their bytes, so `take` must copy what it keeps.
   * @throws Error with the system's reason
   */
  receive(take: (batch: DatagramBatch) => void): number;
  close(): void;
};

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
  });
  return socketOf(system, handle);
}

/** The arguments of recvmmsg(2), and the datagrams that the call filled in, as a batch. */
class SocketBatch implements DatagramBatch {
  count = 0;
  readonly slots: Uint8Array;
  readonly lengths: Uint32Array;
  /**
   * One struct mmsghdr per slot: name, name length, one vector, no control data, flags, and the
   * length received.
   */
  readonly headers = new Uint8Array(batchDatagramsMax * linux.messageBytes);
  readonly #addresses = new Uint8Array(batchDatagramsMax * linux.addressBytes);
  readonly #vectors = new BigUint64Array(batchDatagramsMax * 2);
  readonly #received = new Uint32Array(this.headers.buffer);
  /** Views of the previous batch, reused because the frames of a stream have the same length. */
  readonly #datagrams: Uint8Array[];
  readonly #payloads: Uint8Array[];
  #lastFrom = -1;
  #lastAddress = "";

  constructor() {
    const memory = batchMemory();
    this.slots = memory?.slots ?? new Uint8Array(batchDatagramsMax * slotBytes);
    this.lengths = memory?.lengths ?? new Uint32Array(batchDatagramsMax);
    const none = this.slots.subarray(0, 0);
    this.#datagrams = Array.from({ length: batchDatagramsMax }, () => none);
    this.#payloads = this.#datagrams.slice();
    const view = new DataView(this.headers.buffer);
    for (let slot = 0; slot < batchDatagramsMax; slot++) {
      const at = slot * linux.messageBytes;
      this.#vectors[slot * 2] = BigInt(ptr(this.slots) + slot * slotBytes);
      this.#vectors[slot * 2 + 1] = BigInt(slotBytes);
      view.setBigUint64(at, BigInt(ptr(this.#addresses) + slot * linux.addressBytes), true);
      view.setUint32(at + 8, linux.addressBytes, true);
      view.setBigUint64(at + 16, BigInt(ptr(this.#vectors) + slot * linux.vectorBytes), true);
      view.setBigUint64(at + 24, 1n, true);
    }
  }

  filled(count: number): void {
    this.count = count;
    for (let slot = 0; slot < count; slot++)
      this.lengths[slot] = this.#received[(slot * linux.messageBytes + 56) / 4]!;
  }

  datagram(slot: number): Uint8Array {
    const length = this.lengths[slot]!;
    const view = this.#datagrams[slot]!;
    if (view.length === length) return view;
    return (this.#datagrams[slot] = this.slots.subarray(slot * slotBytes, slot * slotBytes + length));
  }

  payload(slot: number, lengthBytes: number): Uint8Array {
    const view = this.#payloads[slot]!;
    if (view.length === lengthBytes) return view;
    const at = slot * slotBytes + payloadAt;
    return (this.#payloads[slot] = this.slots.subarray(at, at + lengthBytes));
  }

  /** Caches the last address, because consecutive datagrams nearly always share a sender. */
  fromAddress(slot: number): string {
    const at = slot * linux.addressBytes + 4;
    const from = uint32At(this.#addresses, at);
    if (from !== this.#lastFrom) {
      this.#lastFrom = from;
      this.#lastAddress = this.#addresses.subarray(at, at + 4).join(".");
    }
    return this.#lastAddress;
  }
}

function socketOf(system: Libc, handle: number): DatagramSocket {
  const batch = new SocketBatch();
  const headersAt = ptr(batch.headers);
  pinned.add(batch);
  let state: "open" | "closed" = "open";
  const isOpen = (): boolean => state === "open";
  return {
    receiveBufferBytes: receiveBufferOf(system, handle),
    kernelDrops: () => (isOpen() ? dropsOf(system, handle) : null),
    receive(take) {
      if (!isOpen()) return 0;
      const count = system.recvmmsg(handle, headersAt, batchDatagramsMax, linux.dontWait, null);
      if (count < 0) {
        const error = errorNumber(system);
        if (error === linux.errorAgain || error === linux.errorInterrupted) return 0;
        throw new Error(errorText(system));
      }
      batch.filled(count);
      take(batch);
      return count;
    },
    close() {
      if (!isOpen()) return;
      state = "closed";
      system.close(handle);
      pinned.delete(batch);
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

/** Reads SO_MEMINFO: nine numbers about the socket's memory; the last one counts drops. */
function dropsOf(system: Libc, handle: number): number | null {
  const values = new Uint32Array(9);
  const length = Uint32Array.of(values.byteLength);
  const result = system.getsockopt(handle, linux.levelSocket, linux.memoryInfo, ptr(values), ptr(length));
  return result < 0 ? null : values[8]!;
}
