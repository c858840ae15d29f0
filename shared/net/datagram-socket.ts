/**
 * A UDP socket that is read in batches, without an event or an object per datagram: Linux, through bun:ffi and the
 * system's recvmmsg(2). One call fills up to 64 buffers that are used again for the next; whoever owns the socket asks
 * when it has time. Bun's own sockets cost 5 µs of native code for each datagram, more than all that is done with it.
 *
 * Null where it cannot be had (other systems, no libc to load): then node:dgram does the work.
 */
import { CString, dlopen, FFIType, ptr, read, type Pointer } from "bun:ffi";

const libraryNames = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
/** Where glibc and musl keep errno. */
const errorLocation = "__errno_location";
const symbols = {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  setsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i32,
  },
  getsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
    returns: FFIType.i32,
  },
  recvmmsg: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u32, FFIType.i32, FFIType.ptr],
    returns: FFIType.i32,
  },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
  [errorLocation]: { args: [], returns: FFIType.ptr },
  strerror: { args: [FFIType.i32], returns: FFIType.ptr },
} as const;

/** Numbers of Linux's generic ABI (x64 and arm64). */
const linux = {
  familyInet: 2,
  typeDgram: 2,
  nonBlocking: 0o4000,
  closeOnExec: 0o2000000,
  levelSocket: 1,
  levelIp: 0,
  reuseAddress: 2,
  receiveBuffer: 8,
  memoryInfo: 55,
  addMembership: 35,
  dontWait: 0x40,
  errorAgain: 11,
  errorInterrupted: 4,
  addressBytes: 16,
  vectorBytes: 16,
  messageBytes: 64,
} as const;

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

/** What the kernel is given addresses of must outlive every call: nothing in JavaScript refers to some of it. */
const pinned = new Set<readonly unknown[]>();

type Libc = ReturnType<typeof dlopen<typeof symbols>>["symbols"];

let libcOfProcess: Libc | null | undefined;
function libc(): Libc | null {
  if (libcOfProcess !== undefined) return libcOfProcess;
  libcOfProcess = null;
  if (process.platform !== "linux" || (process.arch !== "x64" && process.arch !== "arm64")) return null;
  for (const name of libraryNames) {
    try {
      libcOfProcess = dlopen(name, symbols).symbols;
      break;
    } catch {
      // Another C library, or none that can be loaded.
    }
  }
  return libcOfProcess;
}

/** @throws Error with the system's reason when the group cannot be joined. */
export function openDatagramSocket(options: {
  readonly interfaceAddress: string;
  readonly group: { readonly address: string; readonly port: number };
  readonly receiveBufferBytes: number;
}): DatagramSocket | null {
  const system = libc();
  if (system === null) return null;
  const handle = system.socket(linux.familyInet, linux.typeDgram | linux.nonBlocking | linux.closeOnExec, 0);
  const must = (result: number): void => {
    if (result >= 0) return;
    const reason = errorText(system);
    if (handle >= 0) system.close(handle);
    throw new Error(reason);
  };
  must(handle);
  const set = (level: number, name: number, value: Uint8Array | Int32Array): void =>
    must(system.setsockopt(handle, level, name, ptr(value), value.byteLength));
  set(linux.levelSocket, linux.reuseAddress, Int32Array.of(1));
  set(linux.levelSocket, linux.receiveBuffer, Int32Array.of(options.receiveBufferBytes));
  const { address, port } = options.group;
  must(system.bind(handle, ptr(socketAddress(address, port)), linux.addressBytes));
  const membership = Uint8Array.from([...octetsOf(address), ...octetsOf(options.interfaceAddress)]);
  set(linux.levelIp, linux.addMembership, membership);
  return socketOf(system, handle);
}

function errorNumber(system: Libc): number {
  const at = system[errorLocation]();
  return at === null ? 0 : read.i32(at, 0);
}

function errorText(system: Libc): string {
  const text = system.strerror(errorNumber(system));
  return text === null ? "unknown error" : new CString(text as Pointer).toString();
}

const octetsOf = (address: string): number[] => address.split(".").map(Number);

/** struct sockaddr_in: family in the machine's order, port and address in the network's. */
const socketAddress = (address: string, port: number): Uint8Array =>
  Uint8Array.from([
    linux.familyInet,
    0,
    port >>> 8,
    port & 255,
    ...octetsOf(address),
    ...Array.from({ length: 8 }, () => 0),
  ]);

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
