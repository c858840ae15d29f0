/**
 * Fetches chunks from other devices over the LAN exchange while the member wants them. Polls the
 * representative, and devices that others named, for the chunks they hold. Answers polls of others.
 */
import type { PackageStore } from "../cache/index.ts";
import type { Member } from "../core/member.ts";
import type { MemberEvent } from "../core/events.ts";
import type { Fetch, Holder } from "../core/peers/holders.ts";
import { pollResponse } from "../core/peers/poll-response.ts";
import { timing } from "../core/timing.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { repeat } from "../model/clock.ts";
import { freeBuffer } from "../model/free-buffer.ts";
import { chunkLength } from "../model/manifest.ts";
import { shuffle } from "../model/random.ts";
import { heldRangesMax, type Poll } from "../net/exchange/messages.ts";
import type { PackageKey, PeerConnection, PollReply } from "../net/exchange/peers.ts";
import type { DevicePorts } from "./ports.ts";

/** Polls of one round, in addition to the poll of the representative. */
const pollsPerRoundMax = 3;
/** Upper bound on remembered devices that others named; the oldest is dropped. */
const namedPeersMax = 256;

type PeerFetcherOptions = {
  readonly ports: DevicePorts;
  readonly store: PackageStore;
  readonly member: Member;
  /** Keys of the package, the newest first. */
  readonly keys: readonly PackageKey[];
  /** @param deviceId id that the device stated which sent the chunk */
  readonly onStored: (chunk: number, deviceId: string) => void;
  /** Called when a device served wrong bytes. */
  readonly onBadChunk: (address: string, deviceId: string) => void;
  readonly onStep: (event: MemberEvent) => void;
  readonly onError: (error: unknown) => void;
};

export class PeerFetcher {
  readonly counters = { chunks: 0, bytes: 0, failed: 0, wrong: 0 };
  readonly #options: PeerFetcherOptions;
  readonly #connection: PeerConnection;
  readonly #servedAtStart: number;
  /** Devices that other devices named in answers to polls, by id. */
  readonly #namedPeers = new Map<string, Holder>();
  /** Stops the rounds; null while none are scheduled. */
  #stopRounds: (() => void) | null = null;
  /**
   * Device of the running poll of `pollTarget`. Polls of named devices are separate, so that a
   * failed device delays no other.
   */
  #pollingTarget: string | null = null;
  readonly #pollingNamedPeers = new Set<string>();

  constructor(options: PeerFetcherOptions) {
    this.#options = options;
    this.#connection = options.ports.peers.connect(options.keys);
    this.#servedAtStart = this.#bytesSent;
  }

  get #bytesSent(): number {
    const { ports, keys } = this.#options;
    return keys.reduce((sum, { session }) => sum + ports.peers.bytesSentOf(session), 0);
  }

  /** Bytes of chunks that other devices fetched from this one since the fetcher was created. */
  get servedBytes(): number {
    return this.#bytesSent - this.#servedAtStart;
  }

  /** Starts the rounds of polls and fetches; while they run, fetches at once. */
  start(): void {
    if (this.#stopRounds) return this.#startFetches();
    this.#stopRounds = repeat(this.#options.ports.clock, timing.pollEveryMs, () => this.#round());
    this.#round();
  }

  stop(): void {
    this.#stopRounds?.();
    this.#stopRounds = null;
  }

  close(): void {
    this.stop();
    this.#connection.close();
  }

  /** Answers the poll of another device: which devices take part, and whether this one leads. */
  onPoll(poll: Poll, fromAddress: string): PollReply {
    const { member, onStep } = this.#options;
    const peer = { device: poll.device, address: fromAddress, lanPort: poll.lanPort };
    onStep({ type: "PeerPolled", peer, heldRanges: poll.heldRanges, listens: poll.listens });
    return pollResponse(member, poll.device);
  }

  #round(): void {
    this.#startFetches();
    const { member, onError } = this.#options;
    const target = member.pollTarget;
    if (target && target.device !== this.#pollingTarget) {
      const { device } = target;
      this.#pollingTarget = device;
      this.#poll(target)
        .catch(onError)
        .finally(() => {
          if (this.#pollingTarget === device) this.#pollingTarget = null;
        });
    }
    for (const other of this.#chooseNamedPeers(target?.device)) {
      this.#pollingNamedPeers.add(other.device);
      this.#poll(other)
        .catch(onError)
        .finally(() => this.#pollingNamedPeers.delete(other.device));
    }
  }

  /** Returns a random choice of the named devices that are not being polled. */
  #chooseNamedPeers(target: string | undefined): Holder[] {
    const free = Math.max(0, pollsPerRoundMax - this.#pollingNamedPeers.size);
    const idle = [...this.#namedPeers.values()].filter(
      ({ device }) => device !== target && !this.#pollingNamedPeers.has(device),
    );
    return shuffle(idle, this.#options.ports.random).slice(0, free);
  }

  async #poll(holder: Holder): Promise<void> {
    const { ports, store, member, onStep } = this.#options;
    const poll = {
      device: ports.device,
      lanPort: ports.peers.lanPort,
      heldRanges: store.offered.toRanges(heldRangesMax),
      listens: member.listens,
    };
    const answer = await this.#connection.poll(holder, poll);
    if (!this.#stopRounds) return;
    if (answer && answer.device === holder.device) {
      const held = ChunkSet.fromRanges(store.verified.size, answer.heldRanges);
      if (held) member.holders.update(holder, held, answer.load, true);
      for (const peer of answer.peers) this.#addNamedPeer(peer);
    } else this.#namedPeers.delete(holder.device);
    const ok = answer?.device === holder.device;
    onStep({ type: "ExchangeAnswered", device: holder.device, ok, leads: answer?.leads ?? 0 });
    this.#startFetches();
  }

  #addNamedPeer(peer: Holder): void {
    const { device, peers } = this.#options.ports;
    if (peer.device === device || !peers.isNeighbour(peer.address)) return;
    this.#namedPeers.set(peer.device, peer);
    if (this.#namedPeers.size > namedPeersMax) this.#namedPeers.delete(this.#namedPeers.keys().next().value!);
  }

  #startFetches(): void {
    const { member, ports, onError } = this.#options;
    const next = (): Fetch | null => member.nextFetch(ports.clock.nowMs());
    for (let fetch = next(); fetch; fetch = next()) this.#fetch(fetch).catch(onError);
  }

  async #fetch(fetch: Fetch): Promise<void> {
    const { ports, store, member, onStored } = this.#options;
    const ended = (outcome: Parameters<typeof member.holders.finished>[1]): void =>
      member.holders.finished(fetch, outcome, ports.clock.nowMs());
    try {
      const answer = await this.#connection.chunk(
        fetch.holder,
        fetch.chunk,
        chunkLength(store.manifest, fetch.chunk),
      );
      if (answer.kind !== "chunk") {
        if (answer.kind === "failed") this.counters.failed++;
        if (answer.kind === "wrong") this.#onBadChunk(fetch);
        return ended(answer.kind);
      }
      const outcome = await store.writeChunk(fetch.chunk, answer.bytes, "peers");
      if (outcome === "wrong-digest") {
        this.#onBadChunk(fetch);
        return ended("wrong");
      }
      ended("served");
      this.counters.chunks++;
      this.counters.bytes += answer.bytes.length;
      freeBuffer(answer.bytes);
      if (outcome === "stored") onStored(fetch.chunk, fetch.holder.device);
    } catch (error) {
      ended("failed");
      throw error;
    } finally {
      this.#startFetches();
    }
  }

  #onBadChunk({ holder, chunk }: Fetch): void {
    const { ports, onBadChunk, onStep } = this.#options;
    this.counters.wrong++;
    ports.log.warn(
      { device: holder.device, address: holder.address, chunk },
      "a device served wrong bytes: it is not asked again",
    );
    ports.metrics.wrongChunk("peers");
    onBadChunk(holder.address, holder.device);
    onStep({ type: "BadChunkReceived", device: holder.device });
  }
}
