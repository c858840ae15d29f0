/**
 * One session of a simulated device: the real member, and around it what `shared/device/session.ts` does with sockets
 * and timers, here with a simulated network and clock.
 */
import { Member } from "../core/member.ts";
import type { Effect, FallbackAnswer, LeaseAnswer, MemberEvent, Sender } from "../core/events.ts";
import { SenderDirectory } from "../core/peers/sender-directory.ts";
import { step, wakeAtMs } from "../core/step.ts";
import { timing } from "../core/timing.ts";
import type { ControlFrame, ReceivedSymbol } from "../wire/index.ts";
import { Caster } from "./caster.ts";
import { Desk } from "./desk.ts";
import { Download } from "./download.ts";
import type { Env, Mutation } from "./env.ts";
import { Fetcher } from "./fetcher.ts";
import type { Life } from "./life.ts";
import type { Machine } from "./machine.ts";

const symbolsStepEveryMs = 250;
const wakeEarliestMs = 5;

export class Session {
  readonly env: Env;
  readonly machine: Machine;
  readonly life: Life;
  readonly member: Member;
  readonly desk: Desk;
  readonly download: Download;
  readonly fetcher: Fetcher;
  readonly #speakers = new SenderDirectory();
  #caster: Caster | null = null;
  #wakes = 0;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #symbolsAtMs = Number.NEGATIVE_INFINITY;
  #symbolsHeard = 0;
  /** From the source, to download alone. */
  #hasToken = false;
  isClosed = false;

  constructor(env: Env, machine: Machine, life: Life) {
    this.env = env;
    this.machine = machine;
    this.life = life;
    this.desk = new Desk(this);
    this.download = new Download(this);
    this.fetcher = new Fetcher(this);
    this.member = this.#createMember();
  }

  #createMember(): Member {
    const { machine, life, env } = this;
    const { options } = env;
    const { verified } = life.store;
    return new Member({
      device: machine.id,
      lanPort: machine.lanPort,
      held: verified,
      missingSymbols: (chunk, add) => this.desk.lacksOf(chunk, add),
      currentChunk: () => this.desk.reception.currentChunk,
      sendShares: () => 1,
      rank: () => machine.rank(verified.count / verified.size),
      random: machine.random.next,
      symbolSizeBytes: options.symbolBytes,
      setting: () => ({
        useMulticast: options.useMulticast,
        receivesMulticast: machine.character.medium !== "wireless",
        sessionStartDelayMs: options.startDelayMs,
        lanRateBps: options.lanRateBps,
        wanFallback: options.wanFallback,
        useDeputy: options.useDeputy,
      }),
    });
  }

  step(given: MemberEvent): void {
    if (this.isClosed) return;
    const event = mutated(this.member, given, this.env.options.mutation);
    const { nowMs } = this.machine;
    const stalledMs = nowMs - this.#dueAtMs;
    if (stalledMs > timing.stallMs) {
      this.#dueAtMs = Number.POSITIVE_INFINITY;
      this.life.talk?.stalled(stalledMs);
      for (const effect of step(this.member, { type: "Stalled", stalledMs }, nowMs)) this.#carryOut(effect);
    }
    const effects = step(this.member, event, nowMs);
    this.life.talk?.stepped(this.member);
    for (const effect of effects) this.#carryOut(effect);
    this.env.checks.stepped(this, effects.length);
    this.#schedule();
  }

  close(reason: string): void {
    if (this.isClosed) return;
    this.step({ type: "Stopped", reason });
    this.isClosed = true;
    this.#stepDown();
    this.fetcher.stop();
  }

  #stepDown(): void {
    this.download.stop();
    this.#caster?.stop();
    this.#caster = null;
  }

  #schedule(): void {
    const wake = ++this.#wakes;
    const { nowMs } = this.machine;
    this.#dueAtMs = Math.max(wakeAtMs(this.member, nowMs), nowMs + wakeEarliestMs);
    if (!Number.isFinite(this.#dueAtMs) || this.isClosed) return;
    this.machine.after(this.#dueAtMs - nowMs, () => {
      if (wake === this.#wakes) this.#wake();
    });
  }

  #wake(): void {
    this.step({ type: "TimerFired" });
    if (this.member.role === "representative") this.life.changed();
  }

  symbol(symbol: ReceivedSymbol): void {
    if (this.isClosed) return;
    if (this.desk.accept(symbol)) this.#symbolsHeard++;
    if (this.machine.nowMs - this.#symbolsAtMs >= symbolsStepEveryMs) this.#sayHeard();
  }

  #sayHeard(): void {
    const count = this.#symbolsHeard;
    if (count === 0) return;
    this.#symbolsHeard = 0;
    this.#symbolsAtMs = this.machine.nowMs;
    this.step({ type: "SymbolsReceived", count });
  }

  control(frame: ControlFrame, from: Sender): void {
    this.#speakers.update(from.sender, from.address, frame.device);
    if (frame.type === "end") this.#sayHeard();
    this.step({ type: "FrameReceived", frame, from });
    const { state } = this.member;
    if (state.role === "peer") this.desk.suspects.leader = state.leader.sender;
  }

  /** A chunk of multicast symbols had a wrong digest. @param sender null: they came from several */
  wrong(sender: string | null): void {
    const device = sender === null ? null : this.#speakers.lookUp(sender).deviceId;
    if (device !== null) this.step({ type: "BadChunkReceived", device });
  }

  stored(chunk: number): void {
    this.desk.reception.forget(chunk);
    this.step({ type: "ChunkVerified", chunk });
    this.life.changed();
    if (this.life.store.verified.isFull) this.life.full();
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case "SendFrame":
        return this.life.say(effect.context, effect.frame);
      case "RequestLease":
        return this.life.askLease(effect.term, effect.query, (answer) => this.#leaseAnswered(answer));
      case "ReleaseLease":
        return this.life.releaseLease(effect.failure);
      case "StartDownload":
        return this.download.start();
      case "RequestFallback":
        return this.life.askFallback((answer) => this.#fallbackAnswered(answer));
      case "StopDownload":
        if (this.#hasToken) this.life.giveFallbackBack();
        this.#hasToken = false;
        return this.download.stop();
      case "StartFetch":
        return this.fetcher.start();
      case "StopFetch":
        return this.fetcher.stop();
      case "WakeSender":
        if (this.member.role !== "representative") return;
        this.#caster ??= new Caster(this);
        return this.#caster.wake();
      case "RoleChanged":
        return this.#roleChanged(effect);
      case "Failed":
        return this.env.checks.note(this.machine, "failed", effect.reason);
    }
  }

  #roleChanged({ from, to, why }: Extract<Effect, { do: "RoleChanged" }>): void {
    this.env.checks.note(this.machine, "role", `${from} → ${to}: ${why}`);
    if (from === "representative") this.#stepDown();
    this.life.changed();
  }

  #fallbackAnswered(answer: FallbackAnswer): void {
    this.#hasToken ||= answer.result === "granted";
    this.step({ type: "FallbackAnswered", answer });
    if (this.member.isDownloading || !this.#hasToken) return;
    this.life.giveFallbackBack();
    this.#hasToken = false;
  }

  #leaseAnswered(answer: LeaseAnswer): void {
    if (this.isClosed) return answer.result === "granted" ? this.life.releaseLease(null) : undefined;
    this.life.talk?.leaseAnswered(answer);
    this.step({ type: "LeaseAnswered", answer });
  }
}

function mutated(member: Member, event: MemberEvent, mutation: Mutation | null): MemberEvent {
  if (mutation === "never-step-down") return deafToBetter(member, event);
  if (mutation === "all-deputies") return namedDeputy(member, event);
  return event;
}

/** What is entrusted to one device is entrusted to each. */
function namedDeputy({ config }: Member, event: MemberEvent): MemberEvent {
  if (event.type !== "FrameReceived" || event.frame.type !== "entrust") return event;
  return { ...event, frame: { ...event.frame, toDevice: config.device } };
}

/** What would make a representative give way does not reach it. */
function deafToBetter(member: Member, event: MemberEvent): MemberEvent {
  const isBetter =
    (event.type === "FrameReceived" && event.frame.type === "announce") ||
    (event.type === "LeaseAnswered" && event.answer.result === "refused");
  return member.role === "representative" && isBetter ? { type: "TimerFired" } : event;
}
