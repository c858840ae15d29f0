/**
 * Sends symbols to the group: in runs of one system call (segment-sender.ts), or in batches of
 * Bun.udpSocket where the system or the network card cannot do that.
 */
import type { GroupSender } from "./group-sender.ts";
import type { Group } from "./multicast-group.ts";
import type { LinkSize } from "./link-size.ts";
import type { Refusals } from "./refusals.ts";
import type { SegmentSender } from "./segment-sender.ts";

type SymbolSenderParts = {
  readonly group: Group;
  readonly size: LinkSize;
  readonly socket: GroupSender;
  /** Null: the system has no UDP_SEGMENT. */
  readonly runs: SegmentSender | null;
  readonly refusals: Refusals;
  readonly counters: { framesSent: number; bytesSent: number };
};

export class SymbolSender {
  readonly #parts: SymbolSenderParts;
  #runs: SegmentSender | null;

  constructor(parts: SymbolSenderParts) {
    this.#parts = parts;
    this.#runs = parts.runs;
  }

  /** @returns how many the kernel accepted */
  sendBatch(datagrams: readonly Uint8Array[]): number {
    const { group, socket, refusals, counters } = this.#parts;
    const packets: (Uint8Array | string | number)[] = [];
    for (const datagram of datagrams) packets.push(datagram, group.port, group.address);
    const sent = refusals.try("symbols", () => socket.sendMany(packets));
    for (let i = 0; i < sent; i++) counters.bytesSent += datagrams[i]!.length;
    counters.framesSent += sent;
    return sent;
  }

  /**
   * Sends datagrams that are contiguous in `bytes`.
   * @returns how many the kernel accepted
   */
  sendRun(bytes: Uint8Array, datagrams: readonly Uint8Array[]): number {
    const { refusals, counters } = this.#parts;
    const sent = refusals.try("symbols", () => this.#tryRun(bytes, datagrams));
    if (this.#runs === null) return this.sendBatch(datagrams);
    counters.framesSent += sent;
    if (sent > 0) counters.bytesSent += bytes.length;
    return sent;
  }

  /** @throws Error with the system's reason */
  #tryRun(bytes: Uint8Array, datagrams: readonly Uint8Array[]): number {
    if (this.#runs === null) return 0;
    const { length } = datagrams[0]!;
    switch (this.#runs.send(bytes, length)) {
      case "sent":
        return datagrams.length;
      case "full":
        return 0;
      case "exceed":
        this.#parts.refusals.onExceeded(this.#parts.size, length);
        return 0;
      case "unable":
        this.#closeRuns();
        return 0;
    }
  }

  #closeRuns(): void {
    this.#runs?.close();
    this.#runs = null;
  }

  close(): void {
    this.#parts.socket.close();
    this.#closeRuns();
  }
}
