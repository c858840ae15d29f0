/**
 * A UDP socket that is read in batches, without an event or an object per datagram: Linux, through bun:ffi and the
 * system's recvmmsg(2). One call fills up to 64 buffers that are used again for the next; whoever owns the socket asks
 * when it has time. Bun's own sockets cost 5 µs of native code for each datagram, more than all that is done with it.
 *
 * Null where it cannot be had (other systems, no libc to load): then node:dgram does the work.
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

const batchDatagrams = 64;
/** Larger than any frame, so that an oversized datagram is seen to be one. */
const slotBytes = 2_048;

export type DatagramSocket = {
  /** What the system gave. */
  readonly receiveBufferBytes: number;
  readonly batchDatagrams: number;
  /** What the kernel dropped because the buffer was full. */
  kernelDrops(): number | null;
  /**
   * Takes what has arrived, at most one batch; returns how many. `take` gets a view of a buffer that the next batch
   * overwrites: what is to be kept must be copied.
   */
  receive(take: (datagram: Uint8Array, fromAddress: string) => void): number;
  close(): void;
};

/** @throws Error with the system's reason when the group cannot be joined. */
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

/** struct mmsghdr, one a slot: name, its length, one vector, no control data, flags, and the length received. */
function messageHeaders(slots: Uint8Array, vectors: BigUint64Array, addresses: Uint8Array): Uint8Array {
  const headers = new Uint8Array(batchDatagrams * linux.messageBytes);
  const view = new DataView(headers.buffer);
  for (let slot = 0; slot < batchDatagrams; slot++) {
    const at = slot * linux.messageBytes;
    vectors[slot * 2] = BigInt(ptr(slots) + slot * slotBytes);
    vectors[slot * 2 + 1] = BigInt(slotBytes);
    view.setBigUint64(at, BigInt(ptr(addresses) + slot * linux.addressBytes), true);
    view.setUint32(at + 8, linux.addressBytes, true);
    view.setBigUint64(at + 16, BigInt(ptr(vectors) + slot * linux.vectorBytes), true);
    view.setBigUint64(at + 24, 1n, true);
  }
  return headers;
}

function socketOf(system: Libc, handle: number): DatagramSocket {
  const slots = new Uint8Array(batchDatagrams * slotBytes);
  const addresses = new Uint8Array(batchDatagrams * linux.addressBytes);
  const vectors = new BigUint64Array(batchDatagrams * 2);
  const headers = messageHeaders(slots, vectors, addresses);
  const lengths = new Uint32Array(headers.buffer);
  const headersAt = ptr(headers);
  const memory = [slots, addresses, vectors, headers];
  pinned.add(memory);
  const views = Array.from({ length: batchDatagrams }, () => slots.subarray(0, 0));
  let state: "open" | "closed" = "open";
  const isOpen = (): boolean => state === "open";
  let lastFrom = -1;
  let lastAddress = "";
  /** Most datagrams come from the sender of the one before. */
  const addressOf = (slot: number): string => {
    const at = slot * linux.addressBytes + 4;
    const from =
      ((addresses[at]! << 24) |
        (addresses[at + 1]! << 16) |
        (addresses[at + 2]! << 8) |
        addresses[at + 3]!) >>>
      0;
    if (from !== lastFrom) {
      lastFrom = from;
      lastAddress = addresses.subarray(at, at + 4).join(".");
    }
    return lastAddress;
  };
  /** Frames of a stream have one length: the views of the batch before fit most of this one. */
  const viewOf = (slot: number, length: number): Uint8Array => {
    const view = views[slot]!;
    if (view.length === length) return view;
    return (views[slot] = slots.subarray(slot * slotBytes, slot * slotBytes + length));
  };
  return {
    receiveBufferBytes: receiveBufferOf(system, handle),
    batchDatagrams,
    kernelDrops: () => (isOpen() ? dropsOf(system, handle) : null),
    receive(take) {
      if (!isOpen()) return 0;
      const count = system.recvmmsg(handle, headersAt, batchDatagrams, linux.dontWait, null);
      if (count < 0) {
        const error = errorNumber(system);
        if (error === linux.errorAgain || error === linux.errorInterrupted) return 0;
        throw new Error(errorText(system));
      }
      for (let slot = 0; slot < count && isOpen(); slot++) {
        const length = lengths[(slot * linux.messageBytes + 56) / 4]!;
        take(viewOf(slot, length), addressOf(slot));
      }
      return count;
    },
    close() {
      if (!isOpen()) return;
      state = "closed";
      system.close(handle);
      pinned.delete(memory);
    },
  };
}

function receiveBufferOf(system: Libc, handle: number): number {
  const value = new Int32Array(1);
  const length = Uint32Array.of(4);
  system.getsockopt(handle, linux.levelSocket, linux.receiveBuffer, ptr(value), ptr(length));
  // Linux tells twice of what it gives (see receive-buffer.ts).
  return Math.floor(value[0]! / 2);
}

/** SO_MEMINFO: nine numbers about the socket's memory, the last one the datagrams dropped. */
function dropsOf(system: Libc, handle: number): number | null {
  const values = new Uint32Array(9);
  const length = Uint32Array.of(values.byteLength);
  const result = system.getsockopt(handle, linux.levelSocket, linux.memoryInfo, ptr(values), ptr(length));
  return result < 0 ? null : values[8]!;
}
