/**
 * System calls for recvmmsg.ts and segment-sender.ts: the C library of Linux through bun:ffi, with
 * the constants and struct sizes of x64 and arm64.
 */
import { CString, dlopen, FFIType, ptr, read, type Pointer } from "bun:ffi";
import { platform } from "../../platform/index.ts";

/** Function of glibc and musl that returns the address of errno. */
const errorLocation = "__errno_location";
const { i32, u32, u64 } = FFIType;
const pointer = FFIType.ptr;
const symbols = {
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, u32], returns: i32 },
  setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
  getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
  recvmmsg: { args: [i32, pointer, u32, i32, pointer], returns: i32 },
  sendto: { args: [i32, pointer, u64, i32, pointer, u32], returns: FFIType.i64_fast },
  close: { args: [i32], returns: i32 },
  [errorLocation]: { args: [], returns: pointer },
  strerror: { args: [i32], returns: pointer },
} as const;

/** Constants and struct sizes of Linux on x64 and arm64. */
export const linux = {
  familyInet: 2,
  typeDgram: 2,
  nonBlocking: 0o4000,
  closeOnExec: 0o2000000,
  levelSocket: 1,
  levelIp: 0,
  levelUdp: 17,
  reuseAddress: 2,
  receiveBuffer: 8,
  memoryInfo: 55,
  /** IP_MTU_DISCOVER, and its value that forbids fragments. */
  mtuDiscovery: 10,
  neverFragment: 2,
  multicastInterface: 32,
  multicastTtl: 33,
  multicastLoop: 34,
  addMembership: 35,
  /** UDP_SEGMENT, since Linux 4.18. */
  segmentBytes: 103,
  /** UDP_GRO, since Linux 5.0; also the type of its control message. */
  receiveRuns: 104,
  dontWait: 0x40,
  errorAgain: 11,
  errorInterrupted: 4,
  errorInputOutput: 5,
  errorNoBuffers: 105,
  errorInvalid: 22,
  errorMessageSize: 90,
  addressBytes: 16,
  vectorBytes: 16,
  messageBytes: 64,
} as const;

/**
 * Keeps buffers reachable whose addresses the kernel is given, because nothing else in JavaScript
 * may refer to them between calls.
 */
export const pinned = new Set<unknown>();

export type Libc = ReturnType<typeof dlopen<typeof symbols>>["symbols"];

let libcOfProcess: Libc | null | undefined;

/** Loads the C library once; null on other systems, or if no library can be loaded. */
export function libc(): Libc | null {
  if (libcOfProcess !== undefined) return libcOfProcess;
  libcOfProcess = null;
  for (const name of platform.libraryNames) {
    try {
      libcOfProcess = dlopen(name, symbols).symbols;
      break;
    } catch {
      // Try the next name.
    }
  }
  return libcOfProcess;
}

/** Returns errno of the last call on this thread. */
export function errorNumber(system: Libc): number {
  const at = system[errorLocation]();
  return at === null ? 0 : read.i32(at, 0);
}

/** Returns the system's text for errno. */
export function errorText(system: Libc): string {
  const text = system.strerror(errorNumber(system));
  return text === null ? "unknown error" : new CString(text as Pointer).toString();
}

export const octetsOf = (address: string): number[] => address.split(".").map(Number);

/**
 * Allocates memory whose address never changes. The engine keeps a typed array below 1,000 bytes in
 * its heap, and moves it when its buffer is asked for, for example by `subarray`.
 */
export const fixedBytes = (length: number): Uint8Array => new Uint8Array(new ArrayBuffer(length));

/** Encodes struct sockaddr_in: family in little-endian, port and address in network byte order. */
export function socketAddress(address: string, port: number): Uint8Array {
  const bytes = fixedBytes(linux.addressBytes);
  bytes.set([linux.familyInet, 0, port >>> 8, port & 255, ...octetsOf(address)]);
  return bytes;
}

/**
 * Opens a non-blocking UDP socket and configures it with `prepare`; closes it if `prepare` throws.
 * @throws Error with the system's reason
 */
export function openUdp(system: Libc, prepare: (handle: number) => void): number {
  const handle = system.socket(linux.familyInet, linux.typeDgram | linux.nonBlocking | linux.closeOnExec, 0);
  if (handle < 0) throw new Error(errorText(system));
  try {
    prepare(handle);
  } catch (error) {
    system.close(handle);
    throw error;
  }
  return handle;
}

/** @throws Error with the system's reason; the socket stays open */
export function bindTo(system: Libc, handle: number, address: string, port: number): void {
  if (system.bind(handle, ptr(socketAddress(address, port)), linux.addressBytes) < 0)
    throw new Error(errorText(system));
}

/** @throws Error with the system's reason; the socket stays open */
export function setOption(
  system: Libc,
  handle: number,
  level: number,
  name: number,
  value: Uint8Array | Int32Array,
): void {
  if (system.setsockopt(handle, level, name, ptr(value), value.byteLength) < 0)
    throw new Error(errorText(system));
}
