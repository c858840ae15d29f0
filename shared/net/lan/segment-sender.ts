/**
 * Sends runs of datagrams of one length in one system call: Linux, through bun:ffi and UDP_SEGMENT (since 4.18). The
 * kernel takes the whole run through its layers as one and cuts it at the interface, or has the network card cut it.
 *
 * Null where it cannot be had; then Bun.udpSocket sends the datagrams one by one.
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

export type SegmentSender = {
  /**
   * Sends `bytes` as datagrams of `datagramBytes` each; the last one may be shorter. All or none: false when the kernel
   * has no room just now. @throws Error with the system's reason
   */
  send(bytes: Uint8Array, datagramBytes: number): boolean;
  close(): void;
};

/** @throws Error with the system's reason */
export function openSegmentSender(options: {
  readonly interfaceAddress: string;
  readonly group: { readonly address: string; readonly port: number };
  readonly hearsItself: boolean;
}): SegmentSender | null {
  const system = libc();
  if (system === null) return null;
  const { interfaceAddress, group } = options;
  const handle = openUdp(system, (opened) => {
    const set = (name: number, value: Uint8Array | Int32Array): void =>
      setOption(system, opened, linux.levelIp, name, value);
    set(linux.multicastInterface, Uint8Array.from(octetsOf(interfaceAddress)));
    set(linux.multicastTtl, Int32Array.of(1));
    set(linux.multicastLoop, Int32Array.of(options.hearsItself ? 1 : 0));
    bindTo(system, opened, interfaceAddress, 0);
    // An old kernel does not know it: then the bus sends datagrams one by one.
    setOption(system, opened, linux.levelUdp, linux.segmentBytes, Int32Array.of(1_400));
  });
  const target = socketAddress(group.address, group.port);
  // A compiler that knows its length may let go of the array itself: the kernel reads it at every call.
  pinned.add(target);
  let segmentBytes = 1_400;
  let state: "open" | "closed" = "open";
  return {
    send(bytes, datagramBytes) {
      if (state === "closed") return false;
      if (datagramBytes !== segmentBytes) {
        setOption(system, handle, linux.levelUdp, linux.segmentBytes, Int32Array.of(datagramBytes));
        segmentBytes = datagramBytes;
      }
      const sent = system.sendto(
        handle,
        ptr(bytes),
        bytes.length,
        linux.dontWait,
        ptr(target),
        linux.addressBytes,
      );
      if (Number(sent) >= 0) return true;
      const error = errorNumber(system);
      if (error === linux.errorAgain || error === linux.errorInterrupted || error === linux.errorNoBuffers)
        return false;
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
