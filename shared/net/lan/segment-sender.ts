/**
 * Sends runs of datagrams of one length in one system call: UDP_SEGMENT of Linux 4.18 and later,
 * through bun:ffi. The run passes the kernel's network layers as one packet. The kernel cuts it
 * into datagrams at the interface, or leaves this to the network card.
 */
import { ptr } from "bun:ffi";
import {
  bindTo,
  pinned,
  errorNumber,
  errorText,
  libc,
  linux,
  octetsOf,
  openUdp,
  setOption,
  socketAddress,
} from "./libc.ts";
import { limits } from "../../wire/index.ts";

export type SegmentSender = {
  /**
   * Sends `bytes` as datagrams of `datagramBytes` each; the last one may be shorter. Anything but
   * `sent` sends none of them: the kernel's buffers are currently `full`, the datagrams `exceed`
   * the MTU, or the system is `unable` to send runs through this interface.
   * @throws Error with the system's reason
   */
  send(bytes: Uint8Array, datagramBytes: number): "sent" | "full" | "exceed" | "unable";
  close(): void;
};

/**
 * Opens a socket that sends to the group; returns null if the system has no C library to call
 * (libc.ts).
 * @throws Error with the system's reason, also when the kernel is older than UDP_SEGMENT
 */
export function openSegmentSender(options: {
  readonly interfaceAddress: string;
  readonly group: { readonly address: string; readonly port: number };
  /** Whether this host receives the datagrams too. */
  readonly loopback: boolean;
}): SegmentSender | null {
  const system = libc();
  if (system === null) return null;
  const { interfaceAddress, group } = options;
  const handle = openUdp(system, (opened) => {
    const set = (name: number, value: Uint8Array | Int32Array): void =>
      setOption(system, opened, linux.levelIp, name, value);
    set(linux.multicastInterface, Uint8Array.from(octetsOf(interfaceAddress)));
    set(linux.multicastTtl, Int32Array.of(1));
    set(linux.multicastLoop, Int32Array.of(options.loopback ? 1 : 0));
    set(linux.mtuDiscovery, Int32Array.of(linux.neverFragment));
    bindTo(system, opened, interfaceAddress, 0);
    // Fails on a kernel without UDP_SEGMENT; the bus then sends the datagrams in batches.
    setOption(system, opened, linux.levelUdp, linux.segmentBytes, Int32Array.of(limits.symbolUsualBytes));
  });
  const target = socketAddress(group.address, group.port);
  // The kernel reads `target` at every call, but an optimizing compiler may drop the array.
  pinned.add(target);
  let segmentBytes: number = limits.symbolUsualBytes;
  let state: "open" | "closed" = "open";
  const cutInto = (datagramBytes: number): void => {
    if (datagramBytes === segmentBytes) return;
    setOption(system, handle, linux.levelUdp, linux.segmentBytes, Int32Array.of(datagramBytes));
    segmentBytes = datagramBytes;
  };
  /** Returns errno; 0 after success. */
  const trySend = (bytes: Uint8Array): number => {
    const { dontWait, addressBytes } = linux;
    const sent = system.sendto(handle, ptr(bytes), bytes.length, dontWait, ptr(target), addressBytes);
    return Number(sent) >= 0 ? 0 : errorNumber(system);
  };
  /** Whether the system refuses a datagram alone, outside of a run, for its length. */
  const exceeds = (datagram: Uint8Array): boolean => {
    cutInto(0);
    return trySend(datagram) === linux.errorMessageSize;
  };
  return {
    send(bytes, datagramBytes) {
      if (state === "closed") return "full";
      cutInto(datagramBytes);
      const error = trySend(bytes);
      if (error === 0) return "sent";
      if (error === linux.errorAgain || error === linux.errorInterrupted || error === linux.errorNoBuffers)
        return "full";
      if (error === linux.errorMessageSize) return "exceed";
      // Linux before 6.11 cuts no run for a network card that computes no checksums.
      if (error === linux.errorInputOutput) return "unable";
      // Linux before 6.11 has one number for a run of long datagrams and for a removed address.
      if (error === linux.errorInvalid && exceeds(bytes.subarray(0, datagramBytes))) return "exceed";
      throw new Error(errorText(system));
    },
    close() {
      if (state === "closed") return;
      state = "closed";
      system.close(handle);
      pinned.delete(target);
    },
  };
}
