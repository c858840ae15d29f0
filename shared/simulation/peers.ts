/**
 * Simulated LAN exchange. A request fails after a time-out where a cable is cut, and sooner where
 * no process listens.
 *
 * Seals are not simulated: a device with the package's key can seal wrong bytes, so only the digest
 * detects them.
 */
import type { Poll, PollAnswer } from "../net/exchange/messages.ts";
import type {
  ChunkAnswer,
  OfferedPackage,
  PackageKey,
  PeerAddress,
  PeerConnection,
  Peers,
} from "../net/exchange/peers.ts";
import { CacheError } from "../cache/index.ts";
import type { Context } from "./context.ts";
import type { Machine } from "./machine.ts";
import type { ExchangeServer } from "./network.ts";

/** Time-out of the client on a silent connection, and on one that is not established. */
const timeoutMs = 10_000;
const connectMs = 3_500;
/** Time to the failure when no host has the address, or the port is closed. */
const refusedMs = 3_000;

export class SimulatedPeers implements Peers, ExchangeServer {
  readonly #context: Context;
  readonly #machine: Machine;
  readonly #offered = new Map<string, OfferedPackage & { bytesSent: number }>();

  constructor(context: Context, machine: Machine) {
    this.#context = context;
    this.#machine = machine;
  }

  get lanPort(): number {
    return this.#machine.lanPort;
  }

  get load(): number {
    return 0;
  }

  isNeighbour(): boolean {
    return true;
  }

  offer(session: string, offered: OfferedPackage): void {
    this.#offered.set(session, { ...offered, bytesSent: 0 });
  }

  withdraw(session: string): void {
    this.#offered.delete(session);
  }

  bytesSentOf(session: string): number {
    return this.#offered.get(session)?.bytesSent ?? 0;
  }

  connect(keys: readonly PackageKey[]): PeerConnection {
    /** Returns the session of the newest key that the other device knows. */
    const knownTo = (exchange: ExchangeServer): string =>
      (keys.find(({ session }) => exchange.offers(session)) ?? keys[0]!).session;
    return {
      poll: (to, poll) => {
        this.#context.observer.statesHeld(this.#machine, poll.heldRanges, "poll");
        return this.#request(to, (exchange) =>
          exchange.answerPoll(knownTo(exchange), poll, this.#machine.address),
        );
      },
      chunk: async (from, chunk) =>
        (await this.#request(from, (exchange) => exchange.answerChunk(knownTo(exchange), chunk))) ?? {
          kind: "failed",
          reason: "no answer",
        },
      manifest: (from) => this.#request(from, (exchange) => exchange.answerManifest(knownTo(exchange))),
      close: () => {},
    };
  }

  /** Sends a request to another device. Resolves to its answer; null without one. */
  #request<T>(to: PeerAddress, answer: (exchange: ExchangeServer) => Promise<T>): Promise<T | null> {
    const machine = this.#machine;
    const { network, clock } = this.#context;
    const { subnet } = machine;
    return new Promise((resolve) => {
      const other = network.at(machine, to.address);
      if (!other?.exchange || other.lanPort !== to.lanPort)
        return void machine.after(refusedMs, () => resolve(null));
      if (!network.connects(machine, other)) return void machine.after(connectMs, () => resolve(null));
      machine.after(timeoutMs, () => resolve(null));
      const own = machine.exchange;
      clock.at(network.unicastMs(subnet), () => {
        if (!other.exchange) return;
        other.runWhenUp(() => {
          void answer(other.exchange!).then((answered) =>
            clock.at(network.unicastMs(subnet), () => {
              // False when the requesting process has ended or moved to another subnet.
              const isOpen = machine.exchange === own && machine.subnet === subnet;
              if (isOpen && network.reaches(other, machine)) machine.runWhenUp(() => resolve(answered));
            }),
          );
        });
      });
    });
  }

  offers(session: string): boolean {
    return this.#offered.has(session);
  }

  async answerPoll(session: string, poll: Poll, address: string): Promise<PollAnswer | null> {
    const offered = this.#offered.get(session);
    if (!offered) return null;
    const reply = offered.onPoll?.(poll, address) ?? { peers: [], leads: 0 };
    const heldRanges = [...offered.held().toRanges()];
    this.#context.observer.statesHeld(this.#machine, heldRanges, "poll answer");
    return { device: this.#machine.id, heldRanges, load: 0, ...reply };
  }

  async answerManifest(session: string): Promise<Uint8Array | null> {
    return (await this.#offered.get(session)?.manifest()) ?? null;
  }

  async answerChunk(session: string, chunk: number): Promise<ChunkAnswer> {
    const offered = this.#offered.get(session);
    if (!offered?.held().has(chunk)) return { kind: "not-found" };
    try {
      const bytes = (await offered.readChunk(chunk)).slice();
      offered.bytesSent += bytes.length;
      if (this.#machine.faults.servesWrong?.(chunk)) bytes[0]! ^= 0xff;
      return { kind: "chunk", bytes };
    } catch (error) {
      if (error instanceof CacheError && error.code === "corrupt")
        this.#context.observer.foundCorrupt(this.#machine, chunk);
      return { kind: "not-found" };
    }
  }
}
