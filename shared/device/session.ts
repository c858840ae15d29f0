/**
 * Carries out what a member decides: one task's session on this device, on real sockets, disk and clock.
 *
 * All decisions are in `shared/core`; here effects become frames, requests and timers, and what happens in the world
 * becomes events. One event at a time: effects of one step are carried out before the next.
 */
import type { PackageStore } from "../cache/index.ts";
import type { AgentTask } from "../api/schema/agent.ts";
import { Member } from "../core/member.ts";
import type { Effect, MemberEvent } from "../core/events.ts";
import { SenderDirectory } from "../core/peers/sender-directory.ts";
import { step, wakeAtMs } from "../core/step.ts";
import { timing } from "../core/timing.ts";
import { limits, type ChunkCipher, type ControlFrame, type ReceivedSymbol } from "../wire/index.ts";
import type { AgentContext } from "./context.ts";
import { PeerFetcher } from "./peer-fetcher.ts";
import type { RepresentativeContext, Representative } from "./representative-context.ts";
import { LeaseRequests } from "./lease-requests.ts";
import { ChunkReceiver } from "./chunk-receiver.ts";
import { unicastReasonText } from "./delivery-text.ts";

const symbolsStepEveryMs = 250;
const wakeEarliestMs = 5;

export type SessionHooks = {
  onChange: () => void;
  /** Every chunk is verified: read the package back. */
  onAllVerified: () => void;
  onFailed: (reason: string, retryAfterMs: number) => void;
  /** Wrong bytes came from this address, of the device that it says it is (null: it never said). */
  onBadChunk: (address: string, deviceId: string | null) => void;
  /** Disk full and the like: nothing the session could mend. */
  onError: (error: unknown) => void;
};

export class Session {
  readonly member: Member;
  readonly receiver: ChunkReceiver;
  readonly representative: Representative;
  readonly fetcher: PeerFetcher;
  readonly #context: AgentContext;
  readonly #task: () => AgentTask;
  readonly #store: PackageStore;
  readonly #hooks: SessionHooks;
  readonly #listener;
  readonly #packageListener;
  readonly #taskSession: string;
  readonly #chunkCipher: ChunkCipher;
  readonly #packageSession: string;
  readonly #senders = new SenderDirectory();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #symbolsAtMs = Number.NEGATIVE_INFINITY;
  #symbolsReceived = 0;
  readonly #requests: LeaseRequests;
  #state: "open" | "closed" = "open";

  /** @param task read anew at every use: its setting may change meanwhile */
  constructor(context: AgentContext, task: () => AgentTask, store: PackageStore, hooks: SessionHooks) {
    this.#context = context;
    this.#task = task;
    this.#store = store;
    this.#hooks = hooks;
    this.#requests = new LeaseRequests({
      context,
      taskId: () => task().id,
      isOpen: () => this.#state === "open",
    });
    const taskKey = Buffer.from(task().taskKey, "base64");
    this.#chunkCipher = context.lan.chunkCipher(taskKey);
    this.receiver = new ChunkReceiver({
      store,
      cipher: this.#chunkCipher,
      symbolSizeBytes: limits.symbolMaxBytes,
      onStored: (chunk) => this.#stored(chunk),
      onWrong: (chunk, sender) => this.#wrong(chunk, sender),
      onError: hooks.onError,
    });
    this.member = this.#createMember();
    this.representative = context.createRepresentative(this.#duty());
    this.#listener = {
      onControl: (frame: ControlFrame, address: string, sender: string) =>
        this.#control(frame, address, sender),
      onSymbol: (symbol: ReceivedSymbol, address: string, nowMs: number) =>
        this.#symbol(symbol, address, nowMs),
    };
    this.#packageListener = { onControl: this.#listener.onControl };
    this.#taskSession = context.lan.join(taskKey, this.#listener);
    const packageKey = Buffer.from(task().packageKey, "base64");
    this.#packageSession = context.lan.join(packageKey, this.#packageListener);
    this.fetcher = new PeerFetcher({
      context,
      store,
      member: this.member,
      session: this.#packageSession,
      packageKey,
      onStored: (chunk) => this.#stored(chunk),
      onWrong: hooks.onBadChunk,
      onStep: (event) => this.step(event),
      onError: hooks.onError,
    });
  }

  #createMember(): Member {
    const context = this.#context;
    const store = this.#store;
    const values = () => this.#task().setting.values;
    return new Member({
      device: context.device,
      lanPort: context.exchange.port,
      held: store.verified,
      missingSymbols: (chunk, add) => this.receiver.missingSymbols(chunk, add),
      currentChunk: () => this.receiver.reassembly.currentChunk,
      sendShares: () => this.#context.lan.sendShares,
      rank: () => {
        const heldShare = store.verified.count / Math.max(1, store.verified.size);
        return context.rank(heldShare, store.manifest.sizeBytes, values().representativeWeight);
      },
      random: context.random,
      symbolSizeBytes: limits.symbolMaxBytes,
      setting: () => {
        const setting = values();
        return {
          ...setting,
          useMulticast: setting.useMulticast && context.lan.bus !== null,
          receivesMulticast: setting.wirelessMulticast || context.medium() !== "wireless",
        };
      },
    });
  }

  #duty(): RepresentativeContext {
    const context = this.#context;
    const store = this.#store;
    const hooks = this.#hooks;
    const { client, log, nowMs, random } = context;
    return {
      client,
      log,
      nowMs,
      random,
      onWanBytes: (bytes) => context.metrics.wanBytes(bytes),
      store,
      setting: () => this.#task().setting.values,
      nextDownloadRun: () => this.member.nextDownloadRun(context.nowMs()),
      isWanted: (chunk) => this.member.wantsDownload(chunk, context.nowMs()),
      nextToSend: () => this.member.nextToSend(context.nowMs()),
      bus: () => context.lan.bus,
      sender: () => context.lan.sender(this.#taskSession),
      chunkCipher: this.#chunkCipher,
      rateBps: () => this.member.sendRateBps() / context.lan.sendShares,
      onSymbolsSent: (count) => {
        this.member.onSymbolsSent(count);
        context.memory.collectIfGrown();
      },
      term: () => this.member.term,
      onStored: (chunk) => this.#stored(chunk),
      onChange: hooks.onChange,
      onDownloadEnded: (failure) => this.step({ type: "DownloadEnded", failure }),
      onSendBusy: () => context.lan.sendBegan(this.#taskSession),
      onSendIdle: () => {
        context.lan.sendEnded(this.#taskSession);
        this.step({ type: "TimerFired" });
      },
      onError: hooks.onError,
    };
  }

  start(): void {
    this.step({ type: "Started" });
  }

  /** Why chunks come by unicast just now; empty: they do not. */
  get unicastReason(): string {
    const { state } = this.member;
    return state.role === "peer" ? unicastReasonText(state.wayReason, this.#context.lan.hearing) : "";
  }

  /** A chunk of it on this disk is not what was verified: whoever leads with it gives way to others. */
  packageSpoiled(error: Error): void {
    this.#hooks.onError(error);
  }

  /** Sent to others since it began, by multicast and by unicast. */
  get lanBytes(): number {
    return this.representative.sentBytes + this.fetcher.servedBytes;
  }

  get packageSession(): string {
    return this.#packageSession;
  }

  step(event: MemberEvent): void {
    if (this.#state === "closed") return;
    const nowMs = this.#context.nowMs();
    this.#noteStall(nowMs);
    for (const effect of step(this.member, event, nowMs)) this.#carryOut(effect);
    this.#schedule(nowMs);
  }

  /** What waited in the socket may come before the timer that is late. */
  #noteStall(nowMs: number): void {
    const stalledMs = Math.round(nowMs - this.#dueAtMs);
    if (stalledMs <= timing.stallMs) return;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    this.#context.log.warn({ taskId: this.#task().id, stalledMs }, "this device stalled");
    for (const effect of step(this.member, { type: "Stalled", stalledMs }, nowMs)) this.#carryOut(effect);
  }

  close(reason: string): void {
    if (this.#state === "closed") return;
    this.step({ type: "Stopped", reason });
    this.#state = "closed";
    if (this.#timer) clearTimeout(this.#timer);
    this.#stepDown();
    this.fetcher.close();
    this.#context.lan.leave(this.#taskSession, this.#listener);
    this.#context.lan.leave(this.#packageSession, this.#packageListener);
  }

  #stepDown(): void {
    this.representative.stepDown();
    this.#context.lan.sendEnded(this.#taskSession);
  }

  #schedule(nowMs: number): void {
    if (this.#state === "closed") return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dueAtMs = Math.max(wakeAtMs(this.member, nowMs), nowMs + wakeEarliestMs);
    if (!Number.isFinite(this.#dueAtMs)) return;
    this.#timer = setTimeout(() => this.#wake(), this.#dueAtMs - nowMs);
  }

  #wake(): void {
    this.step({ type: "TimerFired" });
    // What a representative sends goes on after its own copy is complete.
    if (this.member.role === "representative") this.#hooks.onChange();
  }

  #symbol(symbol: ReceivedSymbol, address: string, nowMs: number): void {
    if (this.#state === "closed") return;
    this.#senders.update(symbol.sender, address, null);
    // What a slow disk leaves no room for is as lost as what the network drops: the rate must not pass over it.
    if (this.receiver.accept(symbol)) this.#symbolsReceived++;
    if (nowMs - this.#symbolsAtMs < symbolsStepEveryMs) return;
    this.#reportSymbols();
  }

  #reportSymbols(): void {
    const count = this.#symbolsReceived;
    if (count === 0) return;
    this.#symbolsReceived = 0;
    this.#symbolsAtMs = this.#context.nowMs();
    this.step({ type: "SymbolsReceived", count });
  }

  #control(frame: ControlFrame, address: string, sender: string): void {
    this.#senders.update(sender, address, frame.device);
    // The loss of a pass is counted when its END comes.
    if (frame.type === "end") this.#reportSymbols();
    this.step({ type: "FrameReceived", frame, from: { address, sender } });
    const { state } = this.member;
    if (state.role === "peer") this.receiver.untrustedSenders.leader = state.leader.sender;
  }

  #wrong(chunk: number, sender: string | null): void {
    const taskId = this.#task().id;
    if (sender === null) {
      const advice =
        "a chunk of several senders' symbols was wrong: it is taken from the representative alone";
      return this.#context.log.warn({ taskId, chunk }, advice);
    }
    const { address, deviceId } = this.#senders.lookUp(sender);
    this.#context.log.warn(
      { taskId, chunk, address, device: deviceId, sender },
      "a device multicast a wrong chunk: its symbols of it are not taken any more",
    );
    this.#context.metrics.wrongChunk("multicast");
    this.#hooks.onBadChunk(address, deviceId);
    if (deviceId !== null) this.step({ type: "BadChunkReceived", device: deviceId });
  }

  #stored(chunk: number): void {
    this.receiver.stored(chunk);
    this.#context.memory.collectIfGrown();
    this.step({ type: "ChunkVerified", chunk });
    this.#hooks.onChange();
    if (this.#store.verified.isFull) this.#hooks.onAllVerified();
  }

  #carryOut(effect: Effect): void {
    const { lan } = this.#context;
    switch (effect.do) {
      case "SendFrame":
        return lan.send(effect.context === "task" ? this.#taskSession : this.#packageSession, effect.frame);
      case "RequestLease":
        return void this.#askLease(effect.term, effect.query);
      case "ReleaseLease":
        return void this.#requests.release(effect.failure);
      case "StartDownload":
        return this.representative.download();
      case "RequestFallback":
        return void this.#askFallback();
      case "StopDownload":
        this.#requests.releaseFallback();
        return this.representative.stopDownload();
      case "StartFetch":
        return this.fetcher.start();
      case "StopFetch":
        return this.fetcher.stop();
      case "WakeSender":
        return this.member.role === "representative" ? this.representative.wakeSender() : undefined;
      case "RoleChanged":
        return this.#roleChanged(effect);
      case "Failed":
        return this.#hooks.onFailed(effect.reason, effect.retryAfterMs);
    }
  }

  #roleChanged({ from, to, term, why }: Extract<Effect, { do: "RoleChanged" }>): void {
    const { id } = this.#task();
    this.#context.log.info({ taskId: id, from, to, term, why }, "role changed");
    this.#context.metrics.roleChanged(from, to);
    if (from === "representative") this.#stepDown();
    this.#hooks.onChange();
  }

  async #askLease(term: number, query: boolean): Promise<void> {
    const answer = await this.#requests.lease(term, query);
    if (this.#state === "closed")
      return answer.result === "granted" ? this.#requests.release(null) : undefined;
    this.step({ type: "LeaseAnswered", answer });
  }

  async #askFallback(): Promise<void> {
    this.step({ type: "FallbackAnswered", answer: await this.#requests.fallback() });
    if (!this.member.isDownloading) this.#requests.releaseFallback();
  }
}
