/**
 * A device's part in one task on one subnet: what it knows, in which role it is, what it may be asked.
 *
 * Sans-I/O: `step(member, event, nowMs)` of `step.ts` is the only thing that changes it, and returns effects as data;
 * whoever owns the sockets carries them out and hands back what happened. Time, randomness, the set of verified
 * chunks and the state of half-received chunks are handed in, so that the same code runs in an agent, in a test and in
 * a simulator. The role changes are in `transitions.ts`; how a candidate, a peer and a representative think is in
 * `candidate.ts`, `peer.ts` and `representative.ts`.
 */
import type { ControlFrame } from "../wire/frames.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { Holders, type Holder } from "./peers/holders.ts";
import type { Role } from "./roles.ts";
import { Roster } from "./peers/roster.ts";
import type { SendQueue } from "./repair/send-queue.ts";
import { awaitsStart } from "./delivery/delivery-mode.ts";
import { timing } from "./timing.ts";
import { limits } from "../wire/index.ts";
import type { Effect } from "./events.ts";
import { takesByUnicast, type RoleState } from "./state.ts";
import type { MemberConfig } from "./config.ts";

/** One in a session is an accident, so many an attack that makes up names. */
const untrustedDevicesMax = 64;

export class Member {
  readonly config: MemberConfig;
  readonly roster = new Roster();
  readonly holders: Holders;
  state: RoleState = { role: "idle", why: "not started", retryAtMs: null };
  /** Highest term heard of. */
  term = 0;
  /** Chunks that some representative has multicast before, as far as this device heard its ENDs. */
  readonly sentEarlier: ChunkSet;
  /** When the first representative of this session was elected: the start delay counts from there. */
  firstElectedAtMs: number | null = null;
  /** The representative that this device last gave up for dead. */
  failedLeader: string | null = null;
  /** When another device was last heard on the group. */
  lastFrameAtMs = Number.NEGATIVE_INFINITY;
  /** Devices that sent wrong chunks: that one of them answers is no sign that it serves this device. */
  readonly untrustedDevices = new Set<string>();
  /** When WANT was last said on this subnet, by this device or another: HAVE follows within moments. */
  lastWantAtMs = Number.NEGATIVE_INFINITY;
  /** Neither multicast nor the representative's exchange reaches this device: from then on it may download itself. */
  fallbackAtMs: number | null = null;
  /** Every chunk was read back from the disk. */
  isVerified = false;
  /** Not before then it asks the source for (or to keep) a token. */
  fallbackAskAtMs = Number.NEGATIVE_INFINITY;
  /** Chunks that were verified here since the session began, and when. */
  readonly verifiedAtMs = new Map<number, number>();
  effects: Effect[] = [];
  #isFetching = false;
  #isDownloading = false;

  constructor(config: MemberConfig) {
    this.config = config;
    this.holders = new Holders(config.held.size);
    this.sentEarlier = new ChunkSet(config.held.size);
  }

  get role(): Role {
    return this.state.role;
  }

  /** Another device was heard on the group within the last announcements. */
  receivesOthers(nowMs: number): boolean {
    return nowMs - this.lastFrameAtMs < timing.announceEveryMs * (timing.silentPeriodsMax + 1);
  }

  get isDone(): boolean {
    return this.config.held.isFull;
  }

  // ---- what the owner of the sockets asks -------------------------------------------------------------------

  /** Must this chunk cross the WAN? Not when it is here, on its way here, or held by another device of the subnet. */
  wantsDownload(chunk: number, nowMs: number): boolean {
    return (
      !this.config.held.has(chunk) && !this.holders.isFetching(chunk) && !this.holders.holds(chunk, nowMs)
    );
  }

  /** The next run of chunks to download. */
  nextDownloadRun(nowMs: number): { first: number; count: number } | null {
    const onSubnet = this.holders.heldChunks(nowMs);
    onSubnet.addAll(this.config.held);
    const first = onSubnet.nextMissing(0);
    if (first < 0) return null;
    const next = onSubnet.next(first);
    const end = next < 0 ? onSubnet.size : next;
    return { first, count: end - first };
  }

  /** The next chunk to take from another device, which counts as under way; tell `holders.ended` how it went. */
  nextFetch(nowMs: number): ReturnType<Holders["next"]> {
    if (!this.#isFetching) return null;
    const { config, state } = this;
    if (state.role !== "peer") return this.holders.next(config.held, nowMs);
    // A silent representative is only asked: requests to one that is gone would block others for long.
    if (!takesByUnicast(state) && state.standbyChunks === null) return null;
    if (awaitsStart(state, nowMs)) return null;
    const spread = Math.floor(config.random() * config.held.size);
    return this.holders.next(config.held, nowMs, spread, state.standbyChunks?.chunks);
  }

  /** Is there something to multicast, once the start delay is over? */
  hasToSend(): boolean {
    const { state } = this;
    if (state.role !== "representative" || !this.config.setting().useMulticast) return false;
    return state.queue.hasNext((chunk) => this.roster.hasListenerMissing(chunk));
  }

  /** The next thing to multicast; null: wait for the next Cast. */
  nextToSend(nowMs: number): ReturnType<SendQueue["next"]> {
    const state = this.state;
    if (state.role !== "representative" || nowMs < state.sendFromMs) return null;
    if (!this.config.setting().useMulticast) {
      state.queue.idle();
      return null;
    }
    // Without a deputy nobody else is meant to hold anything: then the package goes out in order.
    const elsewhere = this.config.setting().useDeputy
      ? this.holders.heldChunks(nowMs)
      : new ChunkSet(this.config.held.size);
    const item = state.queue.next((chunk) => this.roster.hasListenerMissing(chunk), elsewhere);
    if (!item || elsewhere.has(item.chunk)) state.caughtUpAtMs = nowMs;
    if (item) state.sendRate.onSending(nowMs);
    else state.sendRate.onIdle();
    if (item) {
      state.inFlight.onSend(item);
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
  sendRateBps(): number {
    const cap = this.config.setting().lanRateBps;
    return this.state.role === "representative" ? this.state.rate.rateBps(cap) : (cap ?? 0);
  }

  /** So many symbols left this device. */
  onSymbolsSent(count: number): void {
    if (this.state.role !== "representative") return;
    this.state.symbolsSent += count;
    this.state.sendRate.onSent(count);
  }

  onBadChunk(device: string): void {
    if (this.untrustedDevices.size < untrustedDevicesMax) this.untrustedDevices.add(device);
  }

  send(frame: ControlFrame, context: "task" | "package" = "task"): void {
    if (this.config.setting().useMulticast) this.effects.push({ do: "SendFrame", frame, context });
  }

  setFetching(on: boolean): void {
    if (on === this.#isFetching) return;
    this.#isFetching = on;
    this.effects.push({ do: on ? "StartFetch" : "StopFetch" });
  }

  /** There is something new to take. */
  refetch(): void {
    this.#isFetching = true;
    this.effects.push({ do: "StartFetch" });
  }

  setDownloading(on: boolean): void {
    if (on === this.#isDownloading) return;
    this.#isDownloading = on;
    this.effects.push({ do: on ? "StartDownload" : "StopDownload" });
  }

  /** The download ended by itself. */
  onDownloadEnded(): void {
    this.#isDownloading = false;
  }

  get isFetching(): boolean {
    return this.#isFetching;
  }

  get isDownloading(): boolean {
    return this.#isDownloading;
  }

  /** Does the multicast reach it, so that what it asks for by unicast is the exception? */
  get listens(): boolean {
    const { state } = this;
    return state.role !== "candidate" && !(state.role === "peer" && state.way === "unicast");
  }

  /** The device to poll for what it holds: the representative, or whoever held the lease before this one. */
  get pollTarget(): Holder | null {
    if (this.state.role === "representative") return this.state.previousHolder;
    if (!this.#isFetching || this.state.role !== "peer" || this.state.leader.lanPort === 0) return null;
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
  sendWant(nowMs: number): void {
    const { device, held, lanPort } = this.config;
    this.lastWantAtMs = nowMs;
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
