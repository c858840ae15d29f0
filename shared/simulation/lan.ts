/** A simulated device's side of the LAN: datagrams as they arrive, and the frames that it sends, shown to an observer. */
import { LanSessions } from "../device/lan-sessions.ts";
import type { ControlFrame, DatagramBatch } from "../wire/index.ts";
import { payloadAt } from "../wire/layout.ts";

/** A burst of the token bucket, scaled to the small symbols of a simulated world: one run of datagrams, and some more. */
export const burstBytesOf = (symbolBytes: number): number => 48 * symbolBytes;

/** A send buffer, scaled to the small datagrams of a world. */
const sendBufferBytes = 2_000;

/** The send buffer of a device whose port may be slow. */
export class SendBuffer {
  #filledBytes = 0;
  #atMs = 0;

  /** Returns how many of the datagrams the buffer takes now. @param portBps null: the port takes them as they come */
  take(datagrams: readonly Uint8Array[], portBps: number | null, nowMs: number): number {
    if (portBps === null) return datagrams.length;
    this.#filledBytes = Math.max(0, this.#filledBytes - ((nowMs - this.#atMs) * portBps) / 8_000);
    this.#atMs = nowMs;
    let taken = 0;
    for (const { length } of datagrams) {
      if (this.#filledBytes > sendBufferBytes) break;
      this.#filledBytes += length;
      taken++;
    }
    return taken;
  }
}

/** Shows what a device sends. */
export class ObservedSessions extends LanSessions {
  readonly #onSend: (frame: ControlFrame) => void;

  constructor(options: ConstructorParameters<typeof LanSessions>[0], onSend: (frame: ControlFrame) => void) {
    super(options);
    this.#onSend = onSend;
  }

  override send(session: string, frame: ControlFrame): void {
    if (this.group) this.#onSend(frame);
    super.send(session, frame);
  }
}

/** Datagrams in buffers of their own. */
export class Datagrams implements DatagramBatch {
  readonly count: number;
  readonly slots = null;
  readonly lengths: Uint32Array;
  readonly #datagrams: readonly Uint8Array[];
  readonly #fromAddress: string;

  constructor(datagrams: readonly Uint8Array[], fromAddress: string) {
    this.count = datagrams.length;
    this.lengths = Uint32Array.from(datagrams, ({ length }) => length);
    this.#datagrams = datagrams;
    this.#fromAddress = fromAddress;
  }

  datagram(index: number): Uint8Array {
    return this.#datagrams[index]!;
  }

  payload(index: number, lengthBytes: number): Uint8Array {
    return this.#datagrams[index]!.subarray(payloadAt, payloadAt + lengthBytes);
  }

  fromAddress(): string {
    return this.#fromAddress;
  }
}
