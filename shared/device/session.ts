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
import { Speakers } from "../core/peers/sender-directory.ts";
import { step, wakeAtMs } from "../core/step.ts";
import { timing } from "../core/timing.ts";
import { limits, type ChunkCipher, type ControlFrame, type ReceivedSymbol } from "../wire/index.ts";
import type { AgentContext } from "./context.ts";
import { LanFetcher } from "./peer-fetcher.ts";
import type { Duty, Representative } from "./representative-context.ts";
import { LeaseRequests } from "./lease-requests.ts";
import { ReceptionDesk } from "./chunk-receiver.ts";
import { wayText } from "./delivery-text.ts";

const symbolsStepEveryMs = 250;
const wakeEarliestMs = 5;

export type SessionHooks = {
  onChange: () => void;
  /** Every chunk is verified: read the package back. */
  onFull: () => void;
  onFailed: (reason: string, retryAfterMs: number) => void;
  /** Wrong bytes came from this address, of the device that it says it is (null: it never said). */
  onWrong: (address: string, deviceId: string | null) => void;
  /** Disk full and the like: nothing the session could mend. */
  onError: (error: unknown) => void;
};

export class Session {
  readonly member: Member;
  readonly desk: ReceptionDesk;
  readonly representative: Representative;
  readonly lan: LanFetcher;
  readonly #context: AgentContext;
  readonly #task: () => AgentTask;
  readonly #store: PackageStore;
  readonly #hooks: SessionHooks;
  readonly #listener;
  readonly #packageListener;
  readonly #taskSession: string;
  readonly #chunkCipher: ChunkCipher;
  readonly #packageSession: string;
  readonly #speakers = new Speakers();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #symbolsAtMs = Number.NEGATIVE_INFINITY;
  #symbolsHeard = 0;
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
    this.desk = new ReceptionDesk({
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
    this.lan = new LanFetcher({
      context,
      store,
      member: this.member,
      session: this.#packageSession,
      packageKey,
      onStored: (chunk) => this.#stored(chunk),
      onWrong: hooks.onWrong,
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
      lacksOf: (chunk, add) => this.desk.lacksOf(chunk, add),
      currentChunk: () => this.desk.reception.currentChunk,
      castShares: () => this.#context.lan.castShares,
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

  #duty(): Duty {
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
      nextRun: () => this.member.nextWanRun(context.nowMs()),
      isWanted: (chunk) => this.member.wantsFromWan(chunk, context.nowMs()),
      nextCast: () => this.member.nextCast(context.nowMs()),
      bus: () => context.lan.bus,
      sender: () => context.lan.sender(this.#taskSession),
      chunkCipher: this.#chunkCipher,
      rateBps: () => this.member.castRateBps() / context.lan.castShares,
      onSymbolsSent: (count) => {
        this.member.symbolsSent(count);
        context.memory.tidy();
      },
      term: () => this.member.term,
      onStored: (chunk) => this.#stored(chunk),
      onChange: hooks.onChange,
      onDownloadEnded: (failure) => this.step({ type: "WanEnded", failure }),
      onCastBusy: () => context.lan.castBegan(this.#taskSession),
      onCastIdle: () => {
        context.lan.castEnded(this.#taskSession);
        this.step({ type: "TimeCame" });
      },
      onError: hooks.onError,
    };
  }

  start(): void {
    this.step({ type: "Started" });
  }

  /** Why chunks come by unicast just now; empty: they do not. */
  get wayWords(): string {
    const { state } = this.member;
    return state.role === "peer" ? wayText(state.wayReason, this.#context.lan.hearing) : "";
  }

  /** A chunk of it on this disk is not what was verified: whoever leads with it gives way to others. */
  packageSpoiled(error: Error): void {
    this.#hooks.onError(error);
  }

  /** Sent to others since it began, by multicast and by unicast. */
  get lanBytes(): number {
    return this.representative.castBytes + this.lan.servedBytes;
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
    this.lan.close();
    this.#context.lan.leave(this.#taskSession, this.#listener);
    this.#context.lan.leave(this.#packageSession, this.#packageListener);
  }

  #stepDown(): void {
    this.representative.stepDown();
    this.#context.lan.castEnded(this.#taskSession);
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
    this.step({ type: "TimeCame" });
    // What a representative sends goes on after its own copy is complete.
    if (this.member.role === "representative") this.#hooks.onChange();
  }

  #symbol(symbol: ReceivedSymbol, address: string, nowMs: number): void {
    if (this.#state === "closed") return;
    this.#speakers.heard(symbol.sender, address, null);
    // What a slow disk leaves no room for is as lost as what the network drops: the rate must not pass over it.
    if (this.desk.accept(symbol)) this.#symbolsHeard++;
    if (nowMs - this.#symbolsAtMs < symbolsStepEveryMs) return;
    this.#sayHeard();
  }

  #sayHeard(): void {
    const count = this.#symbolsHeard;
    if (count === 0) return;
    this.#symbolsHeard = 0;
    this.#symbolsAtMs = this.#context.nowMs();
    this.step({ type: "SymbolsHeard", count });
  }

  #control(frame: ControlFrame, address: string, sender: string): void {
    this.#speakers.heard(sender, address, frame.device);
    // The loss of a pass is counted when its END comes.
    if (frame.type === "end") this.#sayHeard();
    this.step({ type: "FrameHeard", frame, from: { address, sender } });
    const { state } = this.member;
    if (state.role === "peer") this.desk.suspects.leader = state.leader.sender;
  }

  #wrong(chunk: number, sender: string | null): void {
    const taskId = this.#task().id;
    if (sender === null) {
      const advice =
        "a chunk of several senders' symbols was wrong: it is taken from the representative alone";
      return this.#context.log.warn({ taskId, chunk }, advice);
    }
    const { address, deviceId } = this.#speakers.of(sender);
    this.#context.log.warn(
      { taskId, chunk, address, device: deviceId, sender },
      "a device multicast a wrong chunk: its symbols of it are not taken any more",
    );
    this.#context.metrics.wrongChunk("multicast");
    this.#hooks.onWrong(address, deviceId);
    if (deviceId !== null) this.step({ type: "ServedWrong", device: deviceId });
  }

  #stored(chunk: number): void {
    this.desk.stored(chunk);
    this.#context.memory.tidy();
    this.step({ type: "ChunkVerified", chunk });
    this.#hooks.onChange();
    if (this.#store.verified.isFull) this.#hooks.onFull();
  }

  #carryOut(effect: Effect): void {
    const { lan } = this.#context;
    switch (effect.do) {
      case "SendFrame":
        return lan.send(effect.context === "task" ? this.#taskSession : this.#packageSession, effect.frame);
      case "AskLease":
        return void this.#askLease(effect.term, effect.query);
      case "ReleaseLease":
        return void this.#requests.release(effect.failure);
      case "StartWan":
        return this.representative.download();
      case "AskFallback":
        return void this.#askFallback();
      case "StopWan":
        this.#requests.releaseFallback();
        return this.representative.stopDownload();
      case "StartFetch":
        return this.lan.start();
      case "StopFetch":
        return this.lan.stop();
      case "Cast":
        return this.member.role === "representative" ? this.representative.cast() : undefined;
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
    if (!this.member.usesWan) this.#requests.releaseFallback();
  }
}
