/**
 * Simulated LANs: one switch for each subnet.
 *
 * - Multicast datagrams are lost (alone or in bursts), delayed, duplicated, reordered or corrupted.
 * - A switch prunes the group from a port.
 * - A cut stops one direction between two hosts, or both.
 *
 * Unicast (the LAN exchange over TCP) is retransmitted after loss, which takes time. It does not
 * pass a cut.
 */
import type { Poll, PollAnswer } from "../net/exchange/messages.ts";
import type { ChunkAnswer } from "../net/exchange/peers.ts";
import { limits, symbolOverheadBytes } from "../wire/index.ts";
import type { VirtualClock } from "./clock.ts";
import type { History } from "./history.ts";
import type { Random } from "./random.ts";

/** LAN exchange of a running process. */
export type ExchangeServer = {
  offers: (session: string) => boolean;
  answerPoll: (session: string, poll: Poll, fromAddress: string) => Promise<PollAnswer | null>;
  answerChunk: (session: string, chunk: number) => Promise<ChunkAnswer>;
  answerManifest: (session: string) => Promise<Uint8Array | null>;
};

/** A machine on a port of a switch. */
export type Host = {
  readonly index: number;
  /** Number of the subnet from 1; 0: unplugged. */
  subnet: number;
  readonly address: string;
  readonly lanPort: number;
  /** Payload of the longest symbol that the link of the host carries. */
  readonly symbolMaxBytes: number;
  /** Null while no process listens. */
  readonly exchange: ExchangeServer | null;
  /** Receives datagrams that arrive together. */
  receive: (datagrams: readonly Uint8Array[], fromAddress: string) => void;
  /** Runs `run` now, or after a stall or sleep; never when the process has ended by then. */
  runWhenUp: (run: () => void) => void;
};

/** Faults of a subnet's multicast. Shares are 0 … 1, drawn for each datagram at each receiver. */
export type NetworkConditions = {
  loss: number;
  duplicate: number;
  /** Share of datagrams that arrive up to `reorderMs` later than others. */
  reorder: number;
  /** Share of datagrams with a flipped bit that the checksum of UDP does not detect. */
  corrupt: number;
  delayMs: number;
  jitterMs: number;
  /** Mean time between loss bursts of a port; 0: none. Each drops all datagrams for `burstMs`. */
  burstEveryMs: number;
  burstMs: number;
  /** Size above which datagrams are dropped. */
  mtuBytes: number;
};

export const goodConditions: Readonly<NetworkConditions> = {
  loss: 0,
  duplicate: 0,
  reorder: 0,
  corrupt: 0,
  delayMs: 1,
  jitterMs: 1,
  burstEveryMs: 0,
  burstMs: 0,
  mtuBytes: 1_472,
};

const reorderMs = 40;

/** Longest datagram that the link of a host carries. */
export const datagramBytesOf = ({ symbolMaxBytes }: Host): number =>
  Math.max(limits.smallDatagramMaxBytes, symbolMaxBytes + symbolOverheadBytes);

/**
 * Returns whether a multicast datagram passes.
 * @param symbol number of the symbol since the world began; null for a control frame
 */
export type DatagramFilter = (from: Host, to: Host, symbol: number | null) => boolean;

export type NetworkOptions = {
  readonly subnets: number;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly history: History;
};

export class Network {
  readonly conditions: NetworkConditions[];
  datagramsSent = 0;
  bytesSent = 0;
  symbolsSent = 0;
  /** Test hook: drops datagrams in addition to conditions and cuts. */
  datagramFilter: DatagramFilter | null = null;
  /** Test hook: blocks requests of the LAN exchange in addition to cuts. */
  exchangeFilter: ((from: Host, to: Host) => boolean) | null = null;
  /** Hosts by index whose ports the switch pruned: from all multicast, or from symbols alone. */
  readonly pruned = new Map<number, "all" | "symbols">();
  readonly #options: NetworkOptions;
  readonly #cuts = new Set<number>();
  readonly #hosts: Host[] = [];
  /** Current or next burst of each host. */
  readonly #bursts = new Map<number, { fromMs: number; untilMs: number }>();

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.conditions = Array.from({ length: options.subnets + 1 }, () => ({ ...goodConditions }));
  }

  plug(host: Host): void {
    this.#hosts.push(host);
  }

  /** Cuts the direction from one host to another. */
  cut(from: Host, to: Host): void {
    this.#cuts.add(from.index * 65_536 + to.index);
  }

  repairAll(): void {
    this.#cuts.clear();
  }

  /** Returns whether both hosts are on one subnet, and the direction is not cut. */
  reaches(from: Host, to: Host): boolean {
    return from.subnet !== 0 && from.subnet === to.subnet && !this.#cuts.has(from.index * 65_536 + to.index);
  }

  /** Returns the host with this address on the subnet of `from`. */
  at(from: Host, address: string): Host | undefined {
    return this.#hosts.find((host) => host.subnet === from.subnet && host.address === address);
  }

  /** Returns whether one host can open a TCP connection to another: both directions must work. */
  connects(from: Host, to: Host): boolean {
    return this.reaches(from, to) && this.reaches(to, from) && this.exchangeFilter?.(from, to) !== false;
  }

  /** Sends datagrams that leave together. @param isSymbols true: symbols; false: control frames */
  multicast(from: Host, datagrams: readonly Uint8Array[], isSymbols: boolean): void {
    if (from.subnet === 0 || datagrams.length === 0) return;
    const conditions = this.conditions[from.subnet]!;
    const firstSymbol = this.symbolsSent + 1;
    if (isSymbols) this.symbolsSent += datagrams.length;
    this.datagramsSent += datagrams.length;
    for (const datagram of datagrams) this.bytesSent += datagram.length;
    const { address } = from;
    for (const to of this.#hosts) {
      if (to === from || !this.reaches(from, to)) continue;
      const pruned = this.pruned.get(to.index);
      if (pruned === "all" || (pruned === "symbols" && isSymbols)) continue;
      if (isSymbols && (datagrams[0]?.length ?? 0) > to.symbolMaxBytes + symbolOverheadBytes) continue;
      const passing = this.#filtered(from, to, datagrams, isSymbols ? firstSymbol : null);
      const arriving = this.#arriving(to, address, passing, conditions);
      if (arriving.length > 0) this.#deliver(to, address, arriving, this.#delayMs(conditions));
    }
  }

  #filtered(
    from: Host,
    to: Host,
    datagrams: readonly Uint8Array[],
    firstSymbol: number | null,
  ): readonly Uint8Array[] {
    const filter = this.datagramFilter;
    if (!filter) return datagrams;
    return datagrams.filter((_, index) =>
      filter(from, to, firstSymbol === null ? null : firstSymbol + index),
    );
  }

  /** Drops lost datagrams, delivers reordered ones later, and returns those that keep the order. */
  #arriving(
    to: Host,
    fromAddress: string,
    datagrams: readonly Uint8Array[],
    conditions: NetworkConditions,
  ): readonly Uint8Array[] {
    if (this.#isInBurst(to, conditions)) return [];
    const { loss, duplicate, reorder, corrupt, mtuBytes } = conditions;
    const { random } = this.#options;
    const isFaultless = loss + duplicate + reorder + corrupt === 0;
    if (isFaultless && datagrams.every(({ length }) => length <= mtuBytes)) return datagrams;
    const arriving: Uint8Array[] = [];
    for (const datagram of datagrams) {
      if (datagram.length > mtuBytes || (loss > 0 && random.next() < loss)) continue;
      const seen = corrupt > 0 && random.next() < corrupt ? this.#flipped(datagram) : datagram;
      if (reorder > 0 && random.next() < reorder)
        this.#deliver(to, fromAddress, [seen], random.between(0, reorderMs));
      else arriving.push(seen);
      if (duplicate > 0 && random.next() < duplicate) arriving.push(seen);
    }
    return arriving;
  }

  #flipped(datagram: Uint8Array): Uint8Array {
    const { random } = this.#options;
    const copy = datagram.slice();
    copy[random.whole(0, copy.length - 1)]! ^= 1 << random.whole(0, 7);
    return copy;
  }

  #isInBurst(to: Host, { burstEveryMs, burstMs }: NetworkConditions): boolean {
    if (burstEveryMs === 0) return false;
    const { clock, random } = this.#options;
    const { nowMs } = clock;
    let burst = this.#bursts.get(to.index);
    if (!burst || nowMs >= burst.untilMs) {
      const fromMs = nowMs + random.between(0, 2 * burstEveryMs);
      this.#bursts.set(to.index, (burst = { fromMs, untilMs: fromMs + burstMs }));
    }
    return nowMs >= burst.fromMs && nowMs < burst.untilMs;
  }

  #delayMs({ delayMs, jitterMs }: NetworkConditions): number {
    return delayMs + this.#options.random.next() * jitterMs;
  }

  #deliver(to: Host, fromAddress: string, datagrams: readonly Uint8Array[], delayMs: number): void {
    const { subnet } = to;
    const { clock, history } = this.#options;
    clock.at(delayMs, () => {
      // The host was unplugged or moved while the datagrams were in flight.
      if (to.subnet !== subnet) return;
      for (const datagram of datagrams) history.mix(datagram.length * 65_536 + to.index);
      to.receive(datagrams, fromAddress);
    });
  }

  /** Returns the delay of a request or answer over TCP. Losses cost 200 ms, 400 ms … */
  unicastMs(subnet: number): number {
    const conditions = this.conditions[subnet]!;
    let delayMs = this.#delayMs(conditions);
    for (let tries = 0; tries < 6 && this.#options.random.next() < conditions.loss; tries++)
      delayMs += 200 << tries;
    return delayMs;
  }
}
