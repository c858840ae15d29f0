/**
 * Sends, and counts what the system refuses as loss: with an unplugged cable, for example. Only the
 * first of consecutive refusals is reported, for each kind of datagram.
 */
import type { LinkSize } from "./link-size.ts";

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
   * Handles a run that is too long for the interface: its size falls, which is reported.
   * @throws Error when the size cannot fall further
   */
  onExceeded(size: LinkSize, datagramBytes: number): void {
    const beforeBytes = size.datagramBytes;
    if (!size.onRefused(datagramBytes))
      throw new Error(`The interface refuses datagrams of ${datagramBytes} bytes`);
    // A run of the former size, cut before it fell.
    if (size.datagramBytes === beforeBytes) return;
    const now = `sends at most ${size.datagramBytes} bytes from now on`;
    this.#onError(new Error(`The interface does not carry datagrams of ${datagramBytes} bytes: ${now}`));
  }

  /** Suppresses further reports: the caller leaves the network. */
  silence(): void {
    Object.assign(this.#isRefused, { control: true, symbols: true });
  }
}
