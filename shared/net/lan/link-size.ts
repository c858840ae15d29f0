/**
 * Size of the datagrams that an interface carries whole: its MTU, less what the system refused to
 * send. Fragments are never used. A path behind the interface may carry less; nothing here shows it.
 */
import { limits, symbolBytesIn } from "../../wire/index.ts";

/** IPv4 and UDP headers. */
const headersBytes = 28;
const usualMtu = 1_500;
/**
 * Largest MTU of Ethernet. A higher one is that of a virtual interface such as loopback, on which
 * longer datagrams save nothing.
 */
const mtuMax = 9_216;
/** MTUs to try, in descending order, when the system refuses a datagram. */
const plateaus = [1_500, 1_400, 1_280, 576];

export class LinkSize {
  #mtu: number | null;
  #datagramBytes: number;

  /** @param mtu of the interface; null if the system does not report it */
  constructor(mtu: number | null) {
    this.#mtu = mtu;
    this.#datagramBytes = datagramBytesAt(mtu);
  }

  get datagramBytes(): number {
    return this.#datagramBytes;
  }

  /** Payload of the longest symbol whose frame the interface carries. */
  get symbolMaxBytes(): number {
    return symbolBytesIn(this.#datagramBytes);
  }

  /** Takes the current MTU. A datagram that the system refused counts until the MTU changes. */
  onMtu(mtu: number | null): void {
    if (mtu === this.#mtu) return;
    this.#mtu = mtu;
    this.#datagramBytes = datagramBytesAt(mtu);
  }

  /**
   * Notes that the system refused a datagram as too long, and takes the next smaller size.
   * @returns false when every size was refused
   */
  onRefused(datagramBytes: number): boolean {
    if (this.#datagramBytes < datagramBytes) return true;
    const next = plateaus.find((mtu) => mtu - headersBytes < datagramBytes);
    if (next === undefined) return false;
    this.#datagramBytes = next - headersBytes;
    return true;
  }
}

const datagramBytesAt = (mtu: number | null): number =>
  Math.min(limits.datagramMaxBytes, (mtu === null || mtu > mtuMax ? usualMtu : mtu) - headersBytes);
