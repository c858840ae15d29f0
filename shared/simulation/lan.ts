/**
 * LAN side of a simulated device: received datagrams, a send buffer, and sessions that show their
 * frames to an observer. The network in between is network.ts.
 */
import { LanSessions } from "../device/lan-sessions.ts";
import type { ControlFrame, DatagramBatch, Incarnation } from "../wire/index.ts";
import { payloadAt, symbolOverheadBytes } from "../wire/layout.ts";

/**
 * Returns the burst of the token bucket, scaled to the small symbols of a world. A burst holds one
 * run of datagrams and the rest of a chunk (core/rate/token-bucket.ts).
 */
export const burstBytesOf = (symbolBytes: number): number => 48 * symbolBytes;

/** Size of the send buffer, scaled to the small datagrams of a world. */
const sendBufferBytes = 2_000;

type Port = {
  readonly symbolMaxBytes: number;
  /** `portBps` null: unlimited */
  readonly faults: { readonly portBps: number | null };
};

/** Send buffer of a device whose port may be slow. It drains at the port's rate. */
export class SendBuffer {
  #filledBytes = 0;
  #atMs = 0;

  /** Returns the number of datagrams that the buffer accepts now: none that exceed the MTU. */
  take(datagrams: readonly Uint8Array[], { faults, symbolMaxBytes }: Port, nowMs: number): number {
    const { portBps } = faults;
    if (datagrams[0]!.length > symbolMaxBytes + symbolOverheadBytes) return 0;
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

/** Sessions that pass every frame they send to a callback. */
export class ObservedSessions extends LanSessions {
  readonly #onSend: (frame: ControlFrame) => void;
  readonly #sender: { last: Incarnation | null };

  constructor(options: ConstructorParameters<typeof LanSessions>[0], onSend: (frame: ControlFrame) => void) {
    const sender: { last: Incarnation | null } = { last: null };
    super({ ...options, onIncarnation: (incarnation) => void (sender.last = incarnation) });
    this.#onSend = onSend;
    this.#sender = sender;
  }

  /** Notes the sequences of the sender. Returns the function that sets them back. */
  noteSequences(): () => void {
    const { counters } = this.#sender.last!;
    const noted = [...counters].map(([session, { next }]) => [session, next] as const);
    return () => {
      for (const [session, next] of noted) counters.get(session)!.next = next;
    };
  }

  override send(session: string, frame: ControlFrame): void {
    if (this.group) this.#onSend(frame);
    super.send(session, frame);
  }
}

/** Batch of datagrams, each in its own buffer. */
export class Datagrams implements DatagramBatch {
  readonly count: number;
  readonly slots = null;
  readonly firstSlot = 0;
  readonly slotStep = 1;
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
