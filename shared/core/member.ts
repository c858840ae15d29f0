/**
 * State machine of one device in one session: its role, its tables, and the questions its owner may
 * ask. Sans-I/O: `step` (step.ts) takes events and returns effects as data, which the owner of the
 * sockets carries out. Time, randomness and the chunks held are passed in, so the same code runs in
 * agents, tests and the simulator. Role changes are in transitions.ts, behaviour in candidate.ts,
 * peer.ts and representative.ts.
 */
import { assert } from "../model/assert.ts";
import type { ControlFrame } from "../wire/frames.ts";
import { ChunkSet, type Ranges } from "../model/chunk-set.ts";
import { Holders, type Holder } from "./peers/holders.ts";
import type { Role } from "./roles.ts";
import { nextPhase } from "./phase.ts";
import { Roster } from "./peers/roster.ts";
import type { SendQueue } from "./repair/send-queue.ts";
import { awaitsStart } from "./delivery/delivery-mode.ts";
import { timing } from "./timing.ts";
import { limits, rangesWithin } from "../wire/index.ts";
import type { Effect } from "./events.ts";
import { takesByUnicast, type RoleState } from "./state.ts";
import type { MemberConfig } from "./config.ts";

/**
 * Upper bound on devices remembered for wrong chunks. One per session is an accident; this many
 * means that somebody invents device ids.
 */
const untrustedDevicesMax = 64;

/** Facts about the session that outlast a role. */
type SessionHistory = {
  /** Chunks named by received ENDs: a representative of this session has multicast them. */
  readonly sentEarlier: ChunkSet;
  /** Time of the first election, from which the start delay counts. */
  electedAtMs: number | null;
  /** Other devices that the source expects in the session; null: not known. */
  present: number | null;
  /** Representative that this device gave up last. */
  failedLeader: string | null;
  /** Devices that sent wrong chunks. Their answers do not count as being served. */
  readonly untrustedDevices: Set<string>;
  /** Symbol size of the session, as announced last; null: no representative announced one. */
  symbolSizeBytes: number | null;
  /** Symbols above this size do not arrive here, although the interface carries them. */
  symbolPassesBytes: number;
};
type Fallback = {
  /**
   * Time from which this device may use the WAN fallback: neither multicast nor the
   * representative's exchange reaches it. Null while the subnet serves it.
   */
  fromMs: number | null;
  /** Earliest time of the next request for a fallback token, or of its renewal. */
  askAtMs: number;
};
type Verified = {
  /** Verification time of every chunk verified since the session began. */
  readonly chunksAtMs: Map<number, number>;
  /** Every chunk was read back from the disk and verified. */
  isPackage: boolean;
};

export class Member {
  readonly config: MemberConfig;
  readonly roster = new Roster();
  readonly holders: Holders;
  state: RoleState = { role: "idle", why: "not started", retryAtMs: null };
  /** Highest term received. */
  term = 0;
  readonly session: SessionHistory;
  /**
   * Times of the last frame or symbol of another device on the group, and of the last WANT on this
   * subnet, by any device. HAVE follows within `feedbackDelayMsMax`.
   */
  readonly lastReceived = { frameAtMs: Number.NEGATIVE_INFINITY, wantAtMs: Number.NEGATIVE_INFINITY };
  readonly fallback: Fallback = { fromMs: null, askAtMs: Number.NEGATIVE_INFINITY };
  readonly verified: Verified = { chunksAtMs: new Map(), isPackage: false };
  effects: Effect[] = [];
  /** Time of the last step. */
  steppedAtMs = Number.NEGATIVE_INFINITY;
  readonly #transfers = { isFetching: false, isDownloading: false };

  constructor(config: MemberConfig) {
    this.config = config;
    this.holders = new Holders(config.held.size);
    this.session = {
      sentEarlier: new ChunkSet(config.held.size),
      electedAtMs: null,
      present: null,
      failedLeader: null,
      untrustedDevices: new Set(),
      symbolSizeBytes: null,
      symbolPassesBytes: limits.symbolMaxBytes,
    };
  }

  get role(): Role {
    return this.state.role;
  }

  /**
   * Whether another device was received on the group within `silentPeriodsMax` + 1 announcement
   * periods.
   */
  receivesOthers(nowMs: number): boolean {
    return nowMs - this.lastReceived.frameAtMs < timing.announceEveryMs * (timing.silentPeriodsMax + 1);
  }

  /** Every chunk is held; `verified.isPackage` follows after the read-back. */
  get isDone(): boolean {
    return this.config.held.isFull;
  }

  /**
   * Whether this chunk must cross the WAN: it is not held here, not being fetched, and not held by
   * another device of the subnet.
   */
  wantsDownload(chunk: number, nowMs: number): boolean {
    return (
      !this.config.held.has(chunk) && !this.holders.isFetching(chunk) && !this.holders.holds(chunk, nowMs)
    );
  }

  /** Next run of chunks to download; null when the subnet holds every missing chunk. */
  nextDownloadRun(nowMs: number): { first: number; count: number } | null {
    const onSubnet = this.holders.heldChunks(nowMs);
    onSubnet.addAll(this.config.held);
    const first = onSubnet.nextMissing(0);
    if (first < 0) return null;
    const next = onSubnet.next(first);
    const end = next < 0 ? onSubnet.size : next;
    assert(end > first && !this.config.held.has(first), "a download begins at a chunk that is held");
    return { first, count: end - first };
  }

  /**
   * Next chunk to fetch from another device; null: none. The fetch counts as in flight until
   * `holders.finished` states its outcome.
   */
  nextFetch(nowMs: number): ReturnType<Holders["next"]> {
    if (!this.#transfers.isFetching) return null;
    const { config, state } = this;
    if (state.role !== "peer") return this.holders.next(config.held, nowMs);
    // A silent representative is only polled: fetches from a failed one would block others for
    // long.
    if (!takesByUnicast(state) && state.standbyChunks === null) return null;
    if (awaitsStart(state, nowMs)) return null;
    const spread = Math.floor(config.random() * config.held.size);
    return this.holders.next(config.held, nowMs, spread, state.standbyChunks?.chunks);
  }

  /** Whether there is anything to multicast once the start delay is over. */
  hasToSend(): boolean {
    const { state } = this;
    if (state.role !== "representative" || !this.config.setting().useMulticast) return false;
    return state.stream.queue.hasNext((chunk) => this.roster.hasListenerMissing(chunk));
  }

  /** Next item to multicast. After null the sender waits for the effect `WakeSender`. */
  nextToSend(nowMs: number): ReturnType<SendQueue["next"]> {
    const state = this.state;
    if (state.role !== "representative" || nowMs < state.sendFromMs) return null;
    if (!this.config.setting().useMulticast) {
      state.stream.queue.idle();
      return null;
    }
    // Without a standby no other device is meant to hold chunks, and the package goes out in order.
    const elsewhere = this.config.setting().useDeputy
      ? this.holders.heldChunks(nowMs)
      : new ChunkSet(this.config.held.size);
    const { queue, meter } = state.stream;
    if (!this.roster.hasListeners) queue.forgetLosses();
    const item = queue.next(
      (chunk) => this.roster.hasListenerMissing(chunk),
      elsewhere,
      state.stream.symbolSizeBytes,
    );
    if (!item || elsewhere.has(item.chunk)) state.stream.caughtUpAtMs = nowMs;
    if (item === null) {
      meter.onIdle();
      return null;
    }
    meter.onSending(nowMs);
    state.repair.inFlight.onSend(item);
    state.busyAtMs = nowMs;
    if (state.phase.kind !== "casting") state.phase = nextPhase(state.phase, { kind: "casting" });
    return item;
  }

  /** Devices that follow the same representative, including this one; 0 while it follows none. */
  get fellowPeers(): number {
    return this.state.role === "peer" ? this.state.leader.announced.audience : 0;
  }

  /** Payload bits per second at which a representative may currently multicast. */
  sendRateBps(): number {
    const cap = this.config.setting().lanRateBps;
    return this.state.role === "representative" ? this.state.stream.rate.rateBps(cap) : (cap ?? 0);
  }

  /** Payload of a full symbol of a representative. */
  get sendSymbolBytes(): number {
    return this.state.role === "representative" ? this.state.stream.symbolSizeBytes : this.symbolMaxBytes;
  }

  /** Whether a device that receives the multicast is missing chunks. */
  get hasListeners(): boolean {
    return this.roster.hasListeners;
  }

  /** Counts symbols that left this device. */
  onSymbolsSent(count: number): void {
    if (this.state.role !== "representative") return;
    assert(count > 0, "no symbol was sent");
    this.state.stream.symbolsSent += count;
    this.state.stream.meter.onSent(count);
  }

  onBadChunk(device: string): void {
    const { untrustedDevices } = this.session;
    if (untrustedDevices.size < untrustedDevicesMax) untrustedDevices.add(device);
  }

  send(frame: ControlFrame, context: "task" | "package" = "task"): void {
    if (this.config.setting().useMulticast) this.effects.push({ do: "SendFrame", frame, context });
  }

  setFetching(on: boolean): void {
    if (on === this.#transfers.isFetching) return;
    this.#transfers.isFetching = on;
    this.effects.push({ do: on ? "StartFetch" : "StopFetch" });
  }

  /** Asks for a fetch also when one is running: there is something new to fetch. */
  refetch(): void {
    this.#transfers.isFetching = true;
    this.effects.push({ do: "StartFetch" });
  }

  setDownloading(on: boolean): void {
    if (on === this.#transfers.isDownloading) return;
    this.#transfers.isDownloading = on;
    this.effects.push({ do: on ? "StartDownload" : "StopDownload" });
  }

  /** The download ended without StopDownload: it is complete, or it failed. */
  onDownloadEnded(): void {
    this.#transfers.isDownloading = false;
  }

  get isFetching(): boolean {
    return this.#transfers.isFetching;
  }

  get isDownloading(): boolean {
    return this.#transfers.isDownloading;
  }

  /**
   * Whether multicast reaches this device, so that its unicast requests are the exception. False
   * for a candidate. A poll states it to the polled device.
   */
  get listens(): boolean {
    const { state } = this;
    return state.role !== "candidate" && !(state.role === "peer" && state.delivery.mode.kind === "unicast");
  }

  /**
   * Device to poll for the chunks it holds: a peer polls its representative, a representative the
   * previous holder of the lease. Null: none.
   */
  get pollTarget(): Holder | null {
    if (this.state.role === "representative") return this.state.copies.previousHolder;
    if (!this.#transfers.isFetching || this.state.role !== "peer" || this.state.leader.lanPort === 0)
      return null;
    const { device, address, lanPort } = this.state.leader;
    return { device, address, lanPort };
  }

  /** Payload of the longest symbol that this device receives and sends. */
  get symbolMaxBytes(): number {
    return Math.min(this.config.symbolMaxBytes(), this.session.symbolPassesBytes);
  }

  /** @param missing empty: this device leaves, or holds everything */
  seekFrame(missing: Ranges = missingRanges(this.config.held)): ControlFrame {
    const { device, held, lanPort } = this.config;
    const { term, symbolMaxBytes } = this;
    return { type: "seek", device, haveCount: held.count, missing, lanPort, term, symbolMaxBytes };
  }

  /** Asks the subnet which devices hold the chunks that are missing here. */
  sendWant(nowMs: number): void {
    const { device, held, lanPort } = this.config;
    assert(!this.isDone, "a device asks for chunks although it holds all");
    this.lastReceived.wantAtMs = nowMs;
    this.send({ type: "want", device, ranges: missingRanges(held), lanPort }, "package");
  }
}

/**
 * Missing chunks as ranges for a frame that any receiver takes. Where the list is cut, its last
 * range runs to the end of the package: it may name too many chunks, never too few.
 */
export function missingRanges(held: ChunkSet): number[] {
  const all = held.complement().toRanges(limits.rangesMax);
  const ranges = [...rangesWithin(limits.smallDatagramMaxBytes, all)];
  const first = ranges.at(-2);
  if (first !== undefined && (ranges.length < all.length || all.length === limits.rangesMax * 2))
    ranges[ranges.length - 1] = held.size - first;
  return ranges;
}

/** Set of chunks from the ranges of a frame; null when the ranges do not fit the package. */
export const chunkSetOf = (size: number, ranges: readonly number[]): ChunkSet | null =>
  ChunkSet.fromRanges(size, ranges);
