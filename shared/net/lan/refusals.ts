/**
 * Sends, and counts what the system refuses as loss: with an unplugged cable, for example. Only the
 * first of consecutive refusals is reported, for each kind of datagram.
 */
import type { LinkSize } from "./link-size.ts";
import type { SegmentSender } from "./segment-sender.ts";

export class Refusals {
  readonly #isRefused = { control: false, symbols: false };
  readonly #onError: (error: Error) => void;

  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  /** Calls `sending`. @returns how many datagrams were sent */
  try(kind: "control" | "symbols", sending: () => number): number {
    try {
      const sent = sending();
      if (sent > 0) this.#isRefused[kind] = false;
      return sent;
    } catch (error) {
      if (!this.#isRefused[kind]) this.#onError(error instanceof Error ? error : new Error(String(error)));
      this.#isRefused[kind] = true;
      return 0;
    }
  }

  /**
   * Sends a run. A run that is too long for the interface makes its size fall, which is reported.
   * @throws Error with the system's reason
   */
  sendRun(
    sender: SegmentSender,
    size: LinkSize,
    bytes: Uint8Array,
    datagrams: readonly Uint8Array[],
  ): number {
    const { length } = datagrams[0]!;
    const beforeBytes = size.datagramBytes;
    const outcome = sender.send(bytes, length);
    if (outcome === "sent") return datagrams.length;
    if (outcome === "full") return 0;
    if (!size.onRefused(length)) throw new Error(`The interface refuses datagrams of ${length} bytes`);
    // A run of the former size, cut before it fell.
    if (size.datagramBytes === beforeBytes) return 0;
    const now = `sends at most ${size.datagramBytes} bytes from now on`;
    this.#onError(new Error(`The interface does not carry datagrams of ${length} bytes: ${now}`));
    return 0;
  }

  /** Suppresses further reports: the caller leaves the network. */
  silence(): void {
    Object.assign(this.#isRefused, { control: true, symbols: true });
  }
}
