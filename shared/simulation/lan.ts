/** A simulated device's side of the LAN: datagrams as they arrive, and the frames that it sends, shown to an observer. */
import { LanSessions } from "../device/lan-sessions.ts";
import type { ControlFrame, DatagramBatch } from "../wire/index.ts";
import { payloadAt } from "../wire/layout.ts";

/** A burst of the token bucket, scaled to the small symbols of a simulated world: one run of datagrams, and some more. */
export const burstBytesOf = (symbolBytes: number): number => 48 * symbolBytes;

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
