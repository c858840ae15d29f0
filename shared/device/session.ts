/**
 * The session of one task on this device: passes events to the member and carries out its effects.
 *
 * All decisions are made in shared/core. Here effects become frames, requests and timers. Events
 * are processed one at a time: all effects of a step are carried out before the next event, also if
 * an effect causes that event.
 */
import type { PackageStore } from "../cache/index.ts";
import type { AgentTask } from "../api/schema/agent.ts";
import { Member } from "../core/member.ts";
import type { Effect, MemberEvent } from "../core/events.ts";
import { unicastReasonOf } from "../core/delivery/delivery-mode.ts";
import { step, wakeAtMs } from "../core/step.ts";
import { chunkLength } from "../model/manifest.ts";
import type { Reason } from "../model/reason.ts";
import type { ChunkCipher, ControlFrame, ReceivedSymbol } from "../wire/index.ts";
import { ChunkReceiver } from "./chunk-receiver.ts";
import { unicastCause } from "./delivery-text.ts";
import type { LanListener, LanSessions } from "./lan-sessions.ts";
import { LeaseRequests } from "./lease-requests.ts";
import { keysOf } from "./package-keys.ts";
import { PeerFetcher } from "./peer-fetcher.ts";
import type { DevicePorts, PackageKey } from "./ports.ts";
import { Receptions } from "./receptions.ts";
import { Representative } from "./representative.ts";
import { StepTimer } from "./step-timer.ts";
import type { TaskGuard } from "./task-guard.ts";
import type { WanSpending } from "./wan-spending.ts";

/** Interval at which the number of received symbols is passed to the member. */
const symbolsStepEveryMs = 250;
/** Shortest delay of the timer. Bounds the rate of steps that are due at once. */
const timerDelayMsMin = 5;

type SessionHooks = {
  /** Called when there is something new to report. */
  onChange: () => void;
  /** Called when every chunk is verified; the package has to be read back. */
  onAllVerified: () => void;
  /** Called when the session failed on this device; the member retries it after `retryAfterMs`. */
  onFailed: (reason: string, retryAfterMs: number) => void;
  /**
   * Called for wrong bytes from an address.
   * @param deviceId id that the sender stated; null: none
   */
  onBadChunk: (address: string, deviceId: string | null) => void;
  /** Called for an error that ends the session, for example a full disk. */
  onError: (error: unknown) => void;
};

type SessionOptions = {
  readonly ports: DevicePorts;
  /** Called at every use, because the task's setting may change. */
  readonly task: () => AgentTask;
  readonly store: PackageStore;
  readonly spending: WanSpending;
  readonly guard: Pick<TaskGuard, "text" | "pausesWan">;
  readonly hooks: SessionHooks;
};

export class Session {
  readonly member: Member;
  readonly receiver: ChunkReceiver;
  readonly representative: Representative;
  readonly fetcher: PeerFetcher;
  readonly #options: SessionOptions;
  readonly #links: SessionLinks;
  readonly receptions = new Receptions();
  readonly #requests: LeaseRequests;
  readonly #timer: StepTimer;
  readonly #symbols = { count: 0, reportedAtMs: Number.NEGATIVE_INFINITY };
  /** Events that wait for the end of the current step. */
  readonly #events: MemberEvent[] = [];
  #state: "open" | "stepping" | "closed" = "open";

  constructor(options: SessionOptions) {
    const { ports, task, store, spending, hooks } = options;
    this.#options = options;
    this.#timer = new StepTimer(ports.clock, () => this.#onTimer());
    this.#requests = new LeaseRequests(ports, task(), spending, () => this.#state !== "closed");
    this.#links = new SessionLinks(ports.lan, task(), {
      onControl: (frame, address, sender) => this.#onControl(frame, address, sender),
      onSymbol: (symbol, address, nowMs) => this.#onSymbol(symbol, address, nowMs),
    });
    const { cipher, taskSession, packageKeys } = this.#links;
    this.receiver = new ChunkReceiver({
      store,
      cipher,
      sizes: ports.sizes,
      symbolSizeBytes: ports.lan.symbolMaxBytes,
      onStored: (chunk, sender) =>
        this.#onReceived(chunk, sender === null ? null : this.receptions.senders.lookUp(sender).deviceId),
      onBadChunk: (chunk, sender) => this.#onBadChunk(chunk, sender),
      onError: hooks.onError,
    });
    this.member = this.#createMember();
    this.representative = new Representative({
      ports,
      member: this.member,
      store,
      session: taskSession,
      cipher,
      spending,
      setting: () => task().setting.values,
      onStored: (chunk) => this.#onStored(chunk),
      onChange: hooks.onChange,
      onDownloadEnded: (failure) => {
        this.step({ type: "DownloadEnded", failure });
        this.#requests.releaseFallback();
      },
      onSendIdle: () => this.step({ type: "TimerFired" }),
      onRefused: () => this.step({ type: "TimerFired" }),
      onError: hooks.onError,
    });
    this.fetcher = new PeerFetcher({
      ports,
      store,
      member: this.member,
      keys: packageKeys,
      onStored: (chunk, deviceId) => this.#onReceived(chunk, deviceId),
      onBadChunk: hooks.onBadChunk,
      onStep: (event) => {
        if (event.type === "ExchangeAnswered" && event.ok)
          this.receptions.sign(event.device, ports.clock.nowMs());
        this.step(event);
      },
      onError: hooks.onError,
    });
  }

  #createMember(): Member {
    const { ports, store, task, guard } = this.#options;
    const { lan } = ports;
    const values = () => task().setting.values;
    return new Member({
      device: ports.device,
      lanPort: ports.peers.lanPort,
      held: store.verified,
      missingSymbols: (chunk, add) => this.receiver.missingSymbols(chunk, add),
      currentChunk: () => this.receiver.reassembly.currentChunk,
      sendShares: () => lan.sendShares,
      rank: () => {
        const heldShare = store.verified.count / Math.max(1, store.verified.size);
        return ports.rank(heldShare, store.manifest.sizeBytes, values().representativeWeight);
      },
      guard: () => guard.text,
      random: ports.random,
      symbolMaxBytes: () => lan.symbolMaxBytes,
      setting: () => {
        // Called many times per event, so it copies only what the member uses.
        const setting = values();
        return {
          useMulticast: setting.useMulticast && lan.group !== null,
          receivesMulticast: setting.wirelessMulticast || ports.medium() !== "wireless",
          sessionStartDelayMs: setting.sessionStartDelayMs,
          startWhenAllPresent: setting.startWhenAllPresent,
          lanRateBps: setting.lanRateBps,
          wanFallback: guard.pausesWan ? "never" : setting.wanFallback,
          useDeputy: setting.useDeputy,
        };
      },
    });
  }

  start(): void {
    this.step({ type: "Started" });
  }

  /** Why chunks currently come by unicast; null: they do not. */
  get unicastReason(): Reason | null {
    const { state } = this.member;
    if (state.role !== "peer") return null;
    const { symbolSizeBytes } = state.leader.announced;
    return unicastCause(unicastReasonOf(state.delivery), this.#options.ports.lan.reception, symbolSizeBytes);
  }

  /**
   * Called when a chunk on this disk is corrupt. Ends the session, so that another device can lead.
   */
  onCorruptPackage(error: Error): void {
    this.#options.hooks.onError(error);
  }

  /** Bytes sent to others since the session began, by multicast and by unicast. */
  get lanBytes(): number {
    return this.representative.sentBytes + this.fetcher.servedBytes;
  }

  /** Passes an event to the member; during a step, the event waits for its end. */
  step(event: MemberEvent): void {
    if (this.#state === "closed") return;
    this.#events.push(event);
    if (this.#state === "stepping") return;
    this.#state = "stepping";
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        this.#stepOne(next);
        if (next.type === "Stopped") return this.#shut();
      }
    } finally {
      // `#shut` may have closed the session.
      if ((this.#state as string) !== "closed") this.#state = "open";
    }
    const nowMs = this.#options.ports.clock.nowMs();
    this.#timer.schedule(Math.max(wakeAtMs(this.member, nowMs), nowMs + timerDelayMsMin), nowMs);
  }

  #stepOne(event: MemberEvent): void {
    const { ports, task } = this.#options;
    const nowMs = ports.clock.nowMs();
    // After a stall the event loop may deliver datagrams before the late timer.
    const stalledMs = this.#timer.takeStallMs(nowMs);
    if (stalledMs > 0) {
      ports.log.warn({ taskId: task().id, stalledMs }, "this device stalled");
      for (const effect of step(this.member, { type: "Stalled", stalledMs }, nowMs)) this.#carryOut(effect);
    }
    for (const effect of step(this.member, event, nowMs)) this.#carryOut(effect);
  }

  /** Makes the member read its guard again. */
  onGuardChanged(): void {
    this.step({ type: "TimerFired" });
  }

  /** Ends the session; the member resigns if it leads. Takes effect after the current step. */
  close(reason: string): void {
    this.step({ type: "Stopped", reason });
  }

  #shut(): void {
    this.#state = "closed";
    this.#events.length = 0;
    this.#timer.stop();
    this.representative.stepDown();
    this.fetcher.close();
    this.#links.leave();
  }

  #onTimer(): void {
    this.step({ type: "TimerFired" });
    // A representative continues to send after its own copy is complete.
    if (this.member.role === "representative") this.#options.hooks.onChange();
  }

  #onSymbol(symbol: ReceivedSymbol, address: string, nowMs: number): void {
    if (this.#state === "closed") return;
    // Another device of the subnet may have a setting with multicast.
    if (!this.#options.task().setting.values.useMulticast) return;
    this.receptions.senders.update(symbol.sender, address, null);
    // A symbol dropped because the disk is behind counts as lost, so that rate control slows down
    // for a slow disk too.
    if (this.receiver.accept(symbol)) this.#symbols.count++;
    if (nowMs - this.#symbols.reportedAtMs >= symbolsStepEveryMs) this.#reportSymbols();
  }

  #reportSymbols(): void {
    const { count } = this.#symbols;
    if (count === 0) return;
    this.#symbols.count = 0;
    this.#symbols.reportedAtMs = this.#options.ports.clock.nowMs();
    this.step({ type: "SymbolsReceived", count });
  }

  #onControl(frame: ControlFrame, address: string, sender: string): void {
    this.receptions.senders.update(sender, address, frame.device);
    if (frame.type === "announce") this.receptions.sign(frame.device, this.#options.ports.clock.nowMs());
    // The member computes the loss of a pass when the END arrives.
    if (frame.type === "end") this.#reportSymbols();
    this.step({ type: "FrameReceived", frame, from: { address, sender } });
    const { state } = this.member;
    if (state.role !== "peer") return;
    const { sender: leader, announced } = state.leader;
    this.receiver.untrustedSenders.leader = leader;
    if (announced.symbolSizeBytes > 0) this.receiver.reassembly.setSymbolSize(announced.symbolSizeBytes);
  }

  #onBadChunk(chunk: number, sender: string | null): void {
    const { ports, task, hooks } = this.#options;
    const taskId = task().id;
    if (sender === null) {
      const advice =
        "a chunk from several senders' symbols has a wrong digest: only the representative's symbols of it are accepted now";
      return ports.log.warn({ taskId, chunk }, advice);
    }
    const { address, deviceId } = this.receptions.senders.lookUp(sender);
    ports.log.warn(
      { taskId, chunk, address, device: deviceId, sender },
      "a device multicast a chunk with a wrong digest: its symbols of that chunk are no longer accepted",
    );
    ports.metrics.wrongChunk("multicast");
    hooks.onBadChunk(address, deviceId);
    if (deviceId !== null) this.step({ type: "BadChunkReceived", device: deviceId });
  }

  /** @param deviceId device that sent the chunk; null: not known */
  #onReceived(chunk: number, deviceId: string | null): void {
    const { ports, store } = this.#options;
    if (deviceId !== null)
      this.receptions.bytes(deviceId, chunkLength(store.manifest, chunk), ports.clock.nowMs());
    this.#onStored(chunk);
  }

  #onStored(chunk: number): void {
    const { ports, hooks } = this.#options;
    this.receiver.stored(chunk);
    ports.onBytesPassed();
    this.step({ type: "ChunkVerified", chunk });
    hooks.onChange();
    if (this.member.isDone) hooks.onAllVerified();
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case "SendFrame":
        return this.#links.send(effect.context, effect.frame);
      case "RequestLease":
        return this.#run(this.#requestLease(effect));
      case "ReleaseLease":
        return this.#run(this.#requests.release(effect.failure));
      case "StartDownload":
        return this.representative.startDownload();
      case "RequestFallback":
        return this.#run(this.#requestFallback());
      case "StopDownload":
        this.#requests.releaseFallback();
        return this.representative.stopDownload();
      case "StartFetch":
        return this.fetcher.start();
      case "StopFetch":
        return this.fetcher.stop();
      case "WakeSender":
        return this.member.role === "representative" ? this.representative.resumeSender() : undefined;
      case "SymbolsShortened":
        return this.#onSymbolsShortened(effect);
      case "RoleChanged":
        return this.#onRoleChange(effect);
      case "Failed":
        return this.#options.hooks.onFailed(effect.reason, effect.retryAfterMs);
    }
  }

  #onSymbolsShortened({ fromBytes, toBytes }: Extract<Effect, { do: "SymbolsShortened" }>): void {
    const { ports, task } = this.#options;
    const why = "a link of the subnet carries no longer ones";
    ports.log.info({ taskId: task().id, fromBytes, toBytes, why }, "sends shorter symbols");
  }

  #onRoleChange({ from, to, term, why }: Extract<Effect, { do: "RoleChanged" }>): void {
    const { ports, task, hooks } = this.#options;
    ports.log.info({ taskId: task().id, from, to, term, why }, "role changed");
    ports.metrics.roleChanged(from, to);
    if (from === "representative") this.representative.stepDown();
    hooks.onChange();
  }

  #run(work: Promise<void>): void {
    work.catch(this.#options.hooks.onError);
  }

  async #requestLease(request: Extract<Effect, { do: "RequestLease" }>): Promise<void> {
    const answer = await this.#requests.lease(request);
    if (answer === null) return;
    if (this.#state === "closed")
      return answer.result === "granted" ? this.#requests.release(null) : undefined;
    this.step({ type: "LeaseAnswered", answer });
  }

  async #requestFallback(): Promise<void> {
    this.step({ type: "FallbackAnswered", answer: await this.#requests.fallback() });
    if (!this.member.isDownloading) this.#requests.releaseFallback();
  }
}

/**
 * The LAN sessions of a task: one with the task's key, and one with each key of the package. A
 * device may not know the newest key yet.
 */
class SessionLinks {
  readonly cipher: ChunkCipher;
  readonly taskSession: string;
  /** The newest first. */
  readonly packageKeys: readonly PackageKey[];
  readonly #lan: LanSessions;
  readonly #taskListener: LanListener;
  readonly #packageListener: LanListener;

  constructor(lan: LanSessions, task: AgentTask, listener: LanListener) {
    const key = Buffer.from(task.taskKey, "base64");
    this.#lan = lan;
    this.#taskListener = listener;
    this.#packageListener = { onControl: listener.onControl };
    this.cipher = lan.chunkCipher(key);
    this.taskSession = lan.join(key, this.#taskListener);
    this.packageKeys = keysOf(task).map((packageKey) => ({
      key: packageKey,
      session: lan.join(packageKey, this.#packageListener),
    }));
  }

  send(context: "task" | "package", frame: ControlFrame): void {
    if (context === "task") return this.#lan.send(this.taskSession, frame);
    for (const { session } of this.packageKeys) this.#lan.send(session, frame);
  }

  leave(): void {
    this.#lan.leave(this.taskSession, this.#taskListener);
    for (const { session } of this.packageKeys) this.#lan.leave(session, this.#packageListener);
  }
}
