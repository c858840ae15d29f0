/**
 * A device's part in one task on one subnet: what it knows, in which role it is, what it may be asked.
 *
 * Sans-I/O: `step(member, event, nowMs)` of `step.ts` is the only thing that changes it, and returns effects as data;
 * whoever owns the sockets carries them out and hands back what happened. Time, randomness, the set of verified
 * chunks and the state of half-received chunks are handed in, so that the same code runs in an agent, in a test and in
 * a simulator. The role changes are in `becoming.ts`; how a candidate, a peer and a representative think is in
 * `election.ts`, `following.ts` and `leading.ts`.
 */
import type { ControlFrame } from "../wire/frames.ts";
import { ChunkSet, type Ranges } from "./chunkset.ts";
import type { Entrusted, Entrusting } from "./deputy.ts";
import type { Feedback, LacksOf } from "./feedback.ts";
import { Holders, type Holder } from "./holders.ts";
import type { DelayMeter } from "./delay.ts";
import type { LossMeter } from "./loss.ts";
import type { LoneChunks } from "./lone.ts";
import type { NeedBook } from "./needs.ts";
import type { Outstanding } from "./outstanding.ts";
import type { Rank } from "./ranking.ts";
import type { RateControl } from "./rate.ts";
import type { Role } from "./roles.ts";
import { Roster } from "./roster.ts";
import type { SendMeter } from "./sendmeter.ts";
import type { SendPlan } from "./sendplan.ts";
import type { Suspicion } from "./suspicion.ts";
import { awaitsStart } from "./ways.ts";
import { timing } from "./timing.ts";
import { limits, phases } from "../wire/index.ts";

/** One in a session is an accident, so many an attack that makes up names. */
const wrongDevicesMax = 64;

/** Where a frame came from; `sender` is the name in its header, new at each start of a process. */
export type Sender = { address: string; sender: string };
export type LeaseAnswer =
  /** `before`: the last other device that held it, and may hold the package. */
  | { result: "granted"; term: number; before: Holder | null }
  | { result: "refused"; holder: { deviceId: string; address: string; lanPort: number; term: number } }
  | { result: "failed"; reason: string; retryAfterMs: number }
  /** Nobody holds it: the answer to a query. */
  | { result: "free" }
  | { result: "unreachable" };

/** May this device download for itself? */
export type FallbackAnswer =
  { result: "granted" } | { result: "refused"; retryAfterMs: number } | { result: "unreachable" };

export type MemberEvent =
  | { type: "Started" }
  | { type: "TimeCame" }
  /** This device did not run for so long: it slept, or its loop stalled. */
  | { type: "Stalled"; stalledMs: number }
  | { type: "FrameHeard"; frame: ControlFrame; from: Sender }
  /** So many since the event before; also just before the END that closes a pass. */
  | { type: "SymbolsHeard"; count: number }
  | { type: "LeaseAnswered"; answer: LeaseAnswer }
  | { type: "FallbackAnswered"; answer: FallbackAnswer }
  | { type: "ChunkVerified"; chunk: number }
  /** The download ended: nothing left to ask for (null), or it failed. */
  | { type: "WanEnded"; failure: string | null }
  /** A LAN exchange answered (or did not): `device` is the one asked. */
  | {
      type: "ExchangeAnswered";
      device: string;
      ok: boolean;
      /** The term that it leads; 0: it does not lead. */
      leads: number;
    }
  /** Chunks of this device had a wrong digest, by multicast or over its LAN exchange. */
  | { type: "ServedWrong"; device: string }
  /** Another device asked this one over the LAN exchange and said what it holds. */
  | { type: "PeerPolled"; peer: Holder; heldRanges: Ranges; listens: boolean }
  | { type: "PackageVerified" }
  | { type: "Stopped"; reason: string };

export type Effect =
  | { do: "SendFrame"; frame: ControlFrame; context: "task" | "package" }
  /** With `query`: only who holds it. */
  | { do: "AskLease"; term: number; query: boolean }
  | { do: "ReleaseLease"; failure: string | null }
  /** Asks the source for a token to download although another device leads, or to keep it. */
  | { do: "AskFallback" }
  /** Download what `nextWanRun` names until StopWan. */
  | { do: "StartWan" }
  | { do: "StopWan" }
  /** Take what `nextFetch` names from other devices until StopFetch; said again when it names something new. */
  | { do: "StartFetch" }
  | { do: "StopFetch" }
  /** `nextCast` has something. */
  | { do: "Cast" }
  | { do: "RoleChanged"; from: Role; to: Role; term: number; why: string }
  | { do: "Failed"; reason: string; retryAfterMs: number };

/** Who leads the session, as a peer knows it. */
export type Leader = {
  device: string;
  term: number;
  ticket: number;
  address: string;
  /** Who says so: another that speaks in this device's name is not followed. Null: only the source named it. */
  sender: string | null;
  lanPort: number;
  /**
   * How this device knows of it: heard it announce, heard its claim, was told by the source, or, though it is heard no
   * more, by its answers over the LAN exchange.
   */
  known: "announce" | "claim" | "lease" | "exchange";
  phase: number;
  startsAtMs: number;
  castCount: number;
  frontCount: number;
  pass: number;
  audience: number;
  rateBps: number;
};

export type CandidateState = {
  role: "candidate";
  term: number;
  ticket: number;
  enteredAtMs: number;
  seekAtMs: number;
  wantAtMs: number;
  /** WANT heard since then serves this device too. */
  wantFromMs: number;
  claimAtMs: number;
  stage: "listening" | "claimed";
  /** It has not yet let others go first because it hears nobody. */
  mayBeAlone: boolean;
  settlesAtMs: number;
  leaseAskedAtMs: number;
  /** Refused: the source still names a representative that this device gave up for dead. */
  lease: "none" | "asked" | "granted" | "unreachable" | "refused";
  /** From the lease's grant. */
  before: Holder | null;
  /** The best other claim heard while the lease was asked for: it counts if the source cannot be asked. */
  rival: Leader | null;
};
/**
 * Why a peer takes chunks by unicast. switched-off: the setting says so; wireless: its interface is a radio; unheard:
 * nothing of the lease's holder is heard; fell-silent: its representative is heard no more but answers by unicast;
 * no-data: announcements come, symbols do not; not-heard: the representative does not hear this device; stuck: all was
 * multicast, and its repairs bring this device nothing.
 */
export type WayReason =
  "" | "switched-off" | "wireless" | "unheard" | "fell-silent" | "no-data" | "not-heard" | "stuck";
export type PeerState = {
  role: "peer";
  leader: Leader;
  suspicion: Suspicion;
  joinedAtMs: number;
  /** When to say (again) who we are and what we miss. */
  seekAtMs: number | null;
  feedback: Feedback;
  loss: LossMeter;
  delay: DelayMeter;
  /** From then on it may report again. */
  reportFromMs: number;
  symbolsAtMs: number | null;
  announcedAtMs: number;
  /** Since when the representative says that it multicasts and nothing comes. */
  deafSinceMs: number | null;
  /** Since when the representative says that nobody listens, although this device does. */
  overlookedSinceMs: number | null;
  /** Back from unicast since then, and no symbol yet. */
  returnedAtMs: number | null;
  way: "multicast" | "unicast";
  wayReason: WayReason;
  /** Multicast is tried again then. */
  retryAtMs: number;
  retries: number;
  wantAtMs: number;
  /** When a chunk was verified last, or more of the package announced as sent. */
  progressAtMs: number;
  /** When bytes came last, or the representative's exchange answered. */
  answeredAtMs: number;
  /** What the representative asked this device to keep for it; null: nothing, or not any more. */
  entrusted: Entrusted | null;
};
export type RepresentativeState = {
  role: "representative";
  term: number;
  ticket: number;
  electedAtMs: number;
  castFromMs: number;
  phase: "preparing" | "casting" | "serving";
  plan: SendPlan;
  needs: NeedBook;
  outstanding: Outstanding;
  lone: LoneChunks;
  rate: RateControl;
  sending: SendMeter;
  symbolsSent: number;
  /** At the last END. */
  symbolsEnded: number;
  announceAtMs: number;
  leaseAtMs: number;
  endedAtMs: number;
  /** ENDs without a chunk since the last one that named some. */
  rollCalls: number;
  pass: number;
  wantAtMs: number;
  /** Held the lease before, and is asked what it holds; null once it answered. */
  before: Holder | null;
  wanFromMs: number;
  busyAtMs: number;
  /** When the multicast last had sent everything there was. */
  caughtUpAtMs: number;
  servingSinceMs: number | null;
  /** Sees to it that what only this device holds is not lost with it. */
  entrusting: Entrusting;
};
export type IdleState = { role: "idle"; why: string; retryAtMs: number | null };
export type RoleState = IdleState | CandidateState | PeerState | RepresentativeState;

export type MemberConfig = {
  device: string;
  lanPort: number;
  /** Live set of this device's verified chunks; the owner of the cache adds to it. */
  held: ChunkSet;
  lacksOf: LacksOf;
  /** Whose symbol came last: it may still be being sent. */
  currentChunk: () => number | null;
  /** Sessions that this device multicasts now: each sends at an equal part of its own rate. */
  castShares: () => number;
  rank: () => Rank;
  /** 0 … 1 */
  random: () => number;
  symbolSizeBytes: number;
  /** Read anew at every use: a setting may change while the session runs. */
  setting: () => {
    useMulticast: boolean;
    /** False on a radio: it speaks and hears on the group, and takes chunks by unicast. */
    receivesMulticast: boolean;
    sessionStartDelayMs: number;
    /** Cap of the multicast's rate; null: find it. */
    lanRateBps: number | null;
    wanFallback: "never" | "last-resort";
    /** May a peer keep by unicast what only the representative holds? */
    useDeputy: boolean;
  };
};

/** Hears nothing that would bring its chunks, or everything was multicast: it takes them from others. */
export const takesByUnicast = ({ way, leader }: PeerState): boolean =>
  way === "unicast" || leader.phase === phases.serving;

export class Member {
  readonly config: MemberConfig;
  readonly roster = new Roster();
  readonly holders: Holders;
  state: RoleState = { role: "idle", why: "not started", retryAtMs: null };
  /** Highest term heard of. */
  term = 0;
  /** Chunks that some representative has multicast before, as far as this device heard its ENDs. */
  readonly castBefore: ChunkSet;
  /** When the first representative of this session was elected: the start delay counts from there. */
  firstElectedAtMs: number | null = null;
  /** The representative that this device last gave up for dead. */
  suspect: string | null = null;
  /** When another device was last heard on the group. */
  heardAtMs = Number.NEGATIVE_INFINITY;
  /** Devices that sent wrong chunks: that one of them answers is no sign that it serves this device. */
  readonly wrongDevices = new Set<string>();
  /** When WANT was last said on this subnet, by this device or another: HAVE follows within moments. */
  wantHeardAtMs = Number.NEGATIVE_INFINITY;
  /** Neither multicast nor the representative's exchange reaches this device: from then on it may download itself. */
  fallbackAtMs: number | null = null;
  /** Every chunk was read back from the disk. */
  isVerified = false;
  /** Not before then it asks the source for (or to keep) a token. */
  fallbackAskAtMs = Number.NEGATIVE_INFINITY;
  /** Chunks that were verified here since the session began, and when. */
  readonly gainedAtMs = new Map<number, number>();
  effects: Effect[] = [];
  #fetching = false;
  #wan = false;

  constructor(config: MemberConfig) {
    this.config = config;
    this.holders = new Holders(config.held.size);
    this.castBefore = new ChunkSet(config.held.size);
  }

  get role(): Role {
    return this.state.role;
  }

  /** Another device was heard on the group within the last announcements. */
  hearsOthers(nowMs: number): boolean {
    return nowMs - this.heardAtMs < timing.announceEveryMs * (timing.suspicionPeriods + 1);
  }

  get isDone(): boolean {
    return this.config.held.isFull;
  }

  // ---- what the owner of the sockets asks -------------------------------------------------------------------

  /** Must this chunk cross the WAN? Not when it is here, on its way here, or held by another device of the subnet. */
  wantsFromWan(chunk: number, nowMs: number): boolean {
    return (
      !this.config.held.has(chunk) && !this.holders.isFetching(chunk) && !this.holders.holds(chunk, nowMs)
    );
  }

  /** The next run of chunks to download. */
  nextWanRun(nowMs: number): { first: number; count: number } | null {
    const onSubnet = this.holders.within(nowMs);
    onSubnet.addAll(this.config.held);
    const first = onSubnet.nextMissing(0);
    if (first < 0) return null;
    const next = onSubnet.next(first);
    const end = next < 0 ? onSubnet.size : next;
    return { first, count: end - first };
  }

  /** The next chunk to take from another device, which counts as under way; tell `holders.ended` how it went. */
  nextFetch(nowMs: number): ReturnType<Holders["next"]> {
    if (!this.#fetching) return null;
    const { config, state } = this;
    if (state.role !== "peer") return this.holders.next(config.held, nowMs);
    // A silent representative is only asked: requests to one that is gone would block others for long.
    if (!takesByUnicast(state) && state.entrusted === null) return null;
    if (awaitsStart(state, nowMs)) return null;
    const spread = Math.floor(config.random() * config.held.size);
    return this.holders.next(config.held, nowMs, spread, state.entrusted?.chunks);
  }

  /** Is there something to multicast, once the start delay is over? */
  hasCast(): boolean {
    const { state } = this;
    if (state.role !== "representative" || !this.config.setting().useMulticast) return false;
    return state.plan.hasNext((chunk) => this.roster.listensFor(chunk));
  }

  /** The next thing to multicast; null: wait for the next Cast. */
  nextCast(nowMs: number): ReturnType<SendPlan["next"]> {
    const state = this.state;
    if (state.role !== "representative" || nowMs < state.castFromMs) return null;
    if (!this.config.setting().useMulticast) {
      state.plan.rest();
      return null;
    }
    // Without a deputy nobody else is meant to hold anything: then the package goes out in order.
    const elsewhere = this.config.setting().useDeputy
      ? this.holders.within(nowMs)
      : new ChunkSet(this.config.held.size);
    const item = state.plan.next((chunk) => this.roster.listensFor(chunk), elsewhere);
    if (!item || elsewhere.has(item.chunk)) state.caughtUpAtMs = nowMs;
    if (item) state.sending.going(nowMs);
    else state.sending.rested();
    if (item) {
      state.outstanding.sending(item);
      state.busyAtMs = nowMs;
      if (state.phase !== "casting") {
        state.phase = "casting";
        state.servingSinceMs = null;
      }
    }
    return item;
  }

  /** Devices that follow the same representative, this one among them; 0 while it follows none. */
  get fellowPeers(): number {
    return this.state.role === "peer" ? this.state.leader.audience : 0;
  }

  /** Payload bits per second at which a representative may multicast now. */
  castRateBps(): number {
    const cap = this.config.setting().lanRateBps;
    return this.state.role === "representative" ? this.state.rate.rateBps(cap) : (cap ?? 0);
  }

  /** So many symbols left this device. */
  symbolsSent(count: number): void {
    if (this.state.role !== "representative") return;
    this.state.symbolsSent += count;
    this.state.sending.sent(count);
  }

  servedWrong(device: string): void {
    if (this.wrongDevices.size < wrongDevicesMax) this.wrongDevices.add(device);
  }

  send(frame: ControlFrame, context: "task" | "package" = "task"): void {
    if (this.config.setting().useMulticast) this.effects.push({ do: "SendFrame", frame, context });
  }

  fetch(on: boolean): void {
    if (on === this.#fetching) return;
    this.#fetching = on;
    this.effects.push({ do: on ? "StartFetch" : "StopFetch" });
  }

  /** There is something new to take. */
  refetch(): void {
    this.#fetching = true;
    this.effects.push({ do: "StartFetch" });
  }

  wan(on: boolean): void {
    if (on === this.#wan) return;
    this.#wan = on;
    this.effects.push({ do: on ? "StartWan" : "StopWan" });
  }

  /** The download ended by itself. */
  wanEnded(): void {
    this.#wan = false;
  }

  get isFetching(): boolean {
    return this.#fetching;
  }

  get usesWan(): boolean {
    return this.#wan;
  }

  /** Does the multicast reach it, so that what it asks for by unicast is the exception? */
  get listens(): boolean {
    const { state } = this;
    return state.role !== "candidate" && !(state.role === "peer" && state.way === "unicast");
  }

  /** The device to poll for what it holds: the representative, or whoever held the lease before this one. */
  get exchangeTarget(): Holder | null {
    if (this.state.role === "representative") return this.state.before;
    if (!this.#fetching || this.state.role !== "peer" || this.state.leader.lanPort === 0) return null;
    const { device, address, lanPort } = this.state.leader;
    return { device, address, lanPort };
  }

  seekFrame(): ControlFrame {
    const { device, held, lanPort } = this.config;
    return {
      type: "seek",
      device,
      haveCount: held.count,
      missing: missingRanges(held),
      lanPort,
      term: this.term,
    };
  }

  /** Asks the subnet who holds what is missing here. */
  ask(nowMs: number): void {
    const { device, held, lanPort } = this.config;
    this.wantHeardAtMs = nowMs;
    this.send({ type: "want", device, ranges: missingRanges(held), lanPort }, "package");
  }
}

/**
 * The chunks that are not held, as ranges for a frame. A list too long for one is cut by letting its last range run
 * to the end of the package: it may name too much, never too little.
 */
export function missingRanges(held: ChunkSet): number[] {
  const ranges = held.complement().toRanges(limits.rangesMax);
  const first = ranges.at(-2);
  if (first !== undefined && ranges.length === limits.rangesMax * 2)
    ranges[ranges.length - 1] = held.size - first;
  return ranges;
}

export const chunkSetOf = (size: number, ranges: readonly number[]): ChunkSet | null =>
  ChunkSet.fromRanges(size, ranges);
