/**
 * Takes chunks from other devices over the LAN exchange while the member says so, asks the representative (and the
 * devices it names) what they hold, and answers their polls.
 */
import type { PackageStore } from "../cache/index.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import type { Fetch, Holder } from "../core/peers/holders.ts";
import type { Member } from "../core/member.ts";
import type { MemberEvent } from "../core/events.ts";
import { pollResponse } from "../core/peers/poll-response.ts";
import { freeBuffer } from "../model/free-buffer.ts";
import { timing } from "../core/timing.ts";
import { createExchangeClient, type ExchangeClient } from "../net/exchange/client.ts";
import { heldRangesMax, type PollAnswer, type Poll } from "../net/exchange/messages.ts";
import { chunkLength } from "../model/manifest.ts";
import type { AgentContext } from "./context.ts";

/** Other devices polled in one round, besides the representative. */
const pollsPerRoundMax = 3;
/** Devices remembered that others named; the one named first makes room. */
const othersMax = 256;

export type PeerFetcherOptions = {
  context: AgentContext;
  store: PackageStore;
  member: Member;
  session: string;
  packageKey: Uint8Array;
  onStored: (chunk: number) => void;
  /** Wrong bytes came from this address. */
  onWrong: (address: string, deviceId: string) => void;
  onStep: (event: MemberEvent) => void;
  onError: (error: unknown) => void;
};

export class PeerFetcher {
  readonly counters = { chunks: 0, bytes: 0, failed: 0, wrong: 0 };
  readonly #options: PeerFetcherOptions;
  readonly #client: ExchangeClient;
  readonly #servedAtStart: number;
  readonly #others = new Map<string, { address: string; lanPort: number }>();
  #timer: ReturnType<typeof setInterval> | null = null;
  /** Polls under way: of the representative, and of others; one that is dead holds up no other. */
  #pollingTarget: string | null = null;
  readonly #pollingOthers = new Set<string>();

  constructor(options: PeerFetcherOptions) {
    this.#options = options;
    this.#client = createExchangeClient(options.session, options.packageKey);
    this.#servedAtStart = this.#bytesSent;
  }

  get #bytesSent(): number {
    return this.#options.context.exchange.bytesSentOf(this.#options.session);
  }

  /** Bytes of chunks that others took from this device since then. */
  get servedBytes(): number {
    return this.#bytesSent - this.#servedAtStart;
  }

  start(): void {
    if (this.#timer) return this.#pump();
    this.#timer = setInterval(() => this.#round(), timing.pollEveryMs);
    this.#round();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  close(): void {
    this.stop();
    this.#client.close();
  }

  /** Another device polled this one: answers which others take part, and whether this one leads. */
  onPoll(poll: Poll, fromAddress: string): Pick<PollAnswer, "peers" | "leads"> {
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

  /** Some of those that others named, at random. */
  #chooseOthers(target: string | undefined): Holder[] {
    const free = pollsPerRoundMax - this.#pollingOthers.size;
    return [...this.#others]
      .filter(([device]) => device !== target && !this.#pollingOthers.has(device))
      .map(([device, { address, lanPort }]) => ({ device, address, lanPort }))
      .toSorted(() => this.#options.context.random() - 0.5)
      .slice(0, Math.max(0, free));
  }

  async #poll(holder: Holder): Promise<void> {
    const { context, store, member, onStep } = this.#options;
    const poll = {
      device: context.device,
      lanPort: context.exchange.port,
      heldRanges: store.verified.toRanges(heldRangesMax),
      listens: member.listens,
    };
    const answer = await this.#client.poll(holder, poll);
    if (!this.#timer) return;
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
    if (peer.device === this.#options.context.device) return;
    this.#others.set(peer.device, peer);
    if (this.#others.size > othersMax) this.#others.delete(this.#others.keys().next().value!);
  }

  #pump(): void {
    const { member, context, onError } = this.#options;
    for (let fetch = member.nextFetch(context.nowMs()); fetch; fetch = member.nextFetch(context.nowMs())) {
      this.#fetch(fetch).catch(onError);
    }
  }

  async #fetch(fetch: Fetch): Promise<void> {
    const { context, store, member, onStored } = this.#options;
    const ended = (outcome: Parameters<typeof member.holders.finished>[1]): void =>
      member.holders.finished(fetch, outcome, context.nowMs());
    try {
      const answer = await this.#client.chunk(
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
    const { context, onWrong, onStep } = this.#options;
    this.counters.wrong++;
    context.log.warn(
      { device: holder.device, address: holder.address, chunk },
      "a device served wrong bytes: it is not asked again",
    );
    context.metrics.wrongChunk("peers");
    onWrong(holder.address, holder.device);
    onStep({ type: "BadChunkReceived", device: holder.device });
  }
}
