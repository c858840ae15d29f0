/**
 * Fetches chunks from other devices over the LAN exchange while the member wants them, polls the representative (and the
 * devices that it names) for what they hold, and answers polls of others.
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
import type { PeerConnection, PollReply } from "../net/exchange/peers.ts";
import type { DevicePorts } from "./ports.ts";

/** Polls of one round, in addition to that of the representative. */
const pollsPerRoundMax = 3;
/** Upper bound on devices remembered because others named them; the oldest makes room. */
const othersMax = 256;

export type PeerFetcherOptions = {
  readonly ports: DevicePorts;
  readonly store: PackageStore;
  readonly member: Member;
  /** The package's session id and key (16 bytes). */
  readonly session: string;
  readonly packageKey: Uint8Array;
  readonly onStored: (chunk: number) => void;
  /** A device served wrong bytes. */
  readonly onBadChunk: (address: string, deviceId: string) => void;
  readonly onStep: (event: MemberEvent) => void;
  readonly onError: (error: unknown) => void;
};

export class PeerFetcher {
  readonly counters = { chunks: 0, bytes: 0, failed: 0, wrong: 0 };
  readonly #options: PeerFetcherOptions;
  readonly #connection: PeerConnection;
  readonly #servedAtStart: number;
  readonly #others = new Map<string, Holder>();
  /** Ends the rounds; null while they do not run. */
  #stopRounds: (() => void) | null = null;
  /** Devices with a poll under way: the representative's and others' apart, so that a failed device delays no other. */
  #pollingTarget: string | null = null;
  readonly #pollingOthers = new Set<string>();

  constructor(options: PeerFetcherOptions) {
    this.#options = options;
    this.#connection = options.ports.peers.connect(options.session, options.packageKey);
    this.#servedAtStart = this.#bytesSent;
  }

  get #bytesSent(): number {
    const { ports, session } = this.#options;
    return ports.peers.bytesSentOf(session);
  }

  /** Bytes of chunks that other devices fetched from this one since the fetcher was made. */
  get servedBytes(): number {
    return this.#bytesSent - this.#servedAtStart;
  }

  start(): void {
    if (this.#stopRounds) return this.#pump();
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

  /** Another device polled this one: answers which devices take part, and whether this one leads. */
  onPoll(poll: Poll, fromAddress: string): PollReply {
    const { member, onStep } = this.#options;
    const peer = { device: poll.device, address: fromAddress, lanPort: poll.lanPort };
    onStep({ type: "PeerPolled", peer, heldRanges: poll.heldRanges, listens: poll.listens });
    return pollResponse(member, poll.device);
  }

  #round(): void {
    this.#pump();
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
    for (const other of this.#chooseOthers(target?.device)) {
      this.#pollingOthers.add(other.device);
      this.#poll(other)
        .catch(onError)
        .finally(() => this.#pollingOthers.delete(other.device));
    }
  }

  /** A random choice of the devices that others named. */
  #chooseOthers(target: string | undefined): Holder[] {
    const free = Math.max(0, pollsPerRoundMax - this.#pollingOthers.size);
    const idle = [...this.#others.values()].filter(
      ({ device }) => device !== target && !this.#pollingOthers.has(device),
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
      for (const peer of answer.peers) this.#noteOther(peer);
    } else this.#others.delete(holder.device);
    const ok = answer?.device === holder.device;
    onStep({ type: "ExchangeAnswered", device: holder.device, ok, leads: answer?.leads ?? 0 });
    this.#pump();
  }

  #noteOther(peer: Holder): void {
    if (peer.device === this.#options.ports.device) return;
    this.#others.set(peer.device, peer);
    if (this.#others.size > othersMax) this.#others.delete(this.#others.keys().next().value!);
  }

  #pump(): void {
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
      if (outcome === "stored") onStored(fetch.chunk);
    } catch (error) {
      ended("failed");
      throw error;
    } finally {
      this.#pump();
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
