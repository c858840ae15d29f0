/**
 * The simulated LANs: one switch for each subnet. Multicast datagrams get lost (alone or in bursts), come late, twice,
 * in another order or with a flipped bit; a switch forgets the group behind a port; cables and firewalls cut one way or
 * both. Unicast (the LAN exchange over TCP) survives loss at the price of time, and no cut.
 */
import type { VirtualClock } from "./clock.ts";
import type { History } from "./history.ts";
import type { Random } from "./random.ts";

/** Whoever is plugged into a switch. */
export type Host = {
  readonly index: number;
  /** 0: unplugged. */
  subnet: number;
  readonly address: string;
  hear: (datagram: Uint8Array, fromAddress: string) => void;
};

/** What a subnet's switch and cables do to multicast. Shares are 0 … 1, of each datagram at each receiver. */
export type Weather = {
  loss: number;
  duplicate: number;
  /** So many overtake others by up to `reorderMs`. */
  reorder: number;
  /** A bit flips; the checksum of UDP let it pass. */
  corrupt: number;
  delayMs: number;
  jitterMs: number;
  /** Every so often, on average, all that comes to one port within `burstMs` is lost; 0: never. */
  burstEveryMs: number;
  burstMs: number;
  /** Larger datagrams vanish. */
  mtuBytes: number;
};

export const fairWeather: Readonly<Weather> = {
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

export class Network {
  readonly weather: Weather[];
  datagramsSent = 0;
  bytesSent = 0;
  /** Ports behind which the switch forgot the group: control frames and symbols, or symbols alone. */
  readonly pruned = new Map<number, "all" | "symbols">();
  readonly #cuts = new Set<number>();
  readonly #hosts: Host[] = [];
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #history: History;
  /** Of each host: when its port loses everything next, and until when. */
  readonly #bursts = new Map<number, { fromMs: number; untilMs: number }>();

  constructor(options: { subnets: number; clock: VirtualClock; random: Random; history: History }) {
    this.weather = Array.from({ length: options.subnets + 1 }, () => ({ ...fairWeather }));
    this.#clock = options.clock;
    this.#random = options.random;
    this.#history = options.history;
  }

  plug(host: Host): void {
    this.#hosts.push(host);
  }

  /** Nothing gets from one to the other any more. */
  cut(from: Host, to: Host): void {
    this.#cuts.add(from.index * 65_536 + to.index);
  }

  mend(from: Host, to: Host): void {
    this.#cuts.delete(from.index * 65_536 + to.index);
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  /** Both on one subnet, and no cut from the one to the other. */
  reaches(from: Host, to: Host): boolean {
    return from.subnet !== 0 && from.subnet === to.subnet && !this.#cuts.has(from.index * 65_536 + to.index);
  }

  /** Who has this address on the subnet of `from`. */
  at(from: Host, address: string): Host | undefined {
    return this.#hosts.find((host) => host.subnet === from.subnet && host.address === address);
  }

  /** Datagrams that leave in one go. @param isSymbols data, not control frames */
  multicast(from: Host, datagrams: readonly Uint8Array[], isSymbols: boolean): void {
    if (from.subnet === 0) return;
    const weather = this.weather[from.subnet]!;
    this.datagramsSent += datagrams.length;
    for (const datagram of datagrams) this.bytesSent += datagram.length;
    const { address } = from;
    for (const to of this.#hosts) {
      if (to === from || !this.reaches(from, to)) continue;
      const pruned = this.pruned.get(to.index);
      if (pruned === "all" || (pruned === "symbols" && isSymbols)) continue;
      const arriving = this.#arriving(to, address, datagrams, weather);
      if (arriving.length > 0) this.#deliver(to, address, arriving, this.#delayMs(weather));
    }
  }

  /** What comes in its order; the rest is on its way already. */
  #arriving(to: Host, fromAddress: string, datagrams: readonly Uint8Array[], weather: Weather): Uint8Array[] {
    if (this.#isInBurst(to, weather)) return [];
    const random = this.#random;
    const { loss, duplicate, reorder, corrupt, mtuBytes } = weather;
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
    const copy = datagram.slice();
    copy[this.#random.whole(0, copy.length - 1)]! ^= 1 << this.#random.whole(0, 7);
    return copy;
  }

  #isInBurst(to: Host, { burstEveryMs, burstMs }: Weather): boolean {
    if (burstEveryMs === 0) return false;
    const { nowMs } = this.#clock;
    let burst = this.#bursts.get(to.index);
    if (!burst || nowMs >= burst.untilMs) {
      const fromMs = nowMs + this.#random.between(0, 2 * burstEveryMs);
      this.#bursts.set(to.index, (burst = { fromMs, untilMs: fromMs + burstMs }));
    }
    return nowMs >= burst.fromMs && nowMs < burst.untilMs;
  }

  #delayMs({ delayMs, jitterMs }: Weather): number {
    return delayMs + this.#random.next() * jitterMs;
  }

  #deliver(to: Host, fromAddress: string, datagrams: readonly Uint8Array[], delayMs: number): void {
    const { subnet } = to;
    this.#clock.at(delayMs, () => {
      // Unplugged meanwhile.
      if (to.subnet !== subnet) return;
      for (const datagram of datagrams) {
        this.#history.mix(datagram.length * 65_536 + to.index);
        to.hear(datagram, fromAddress);
      }
    });
  }

  /** How long a request or an answer over TCP takes: loss costs retransmissions. */
  unicastMs(subnet: number): number {
    const weather = this.weather[subnet]!;
    let delayMs = this.#delayMs(weather);
    for (let tries = 0; tries < 6 && this.#random.next() < weather.loss; tries++) delayMs += 200 << tries;
    return delayMs;
  }
}
