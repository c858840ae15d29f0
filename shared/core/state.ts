/**
 * State of a member in each role: idle, candidate, peer, representative. Plain records:
 * transitions.ts replaces them; candidate.ts, peer.ts and representative.ts work on them.
 */
import { phases } from "../wire/index.ts";
import type { NackSender } from "./repair/nack-sender.ts";
import type { StandbyChunks, StandbyReplication } from "./peers/standby.ts";
import type { DelayMeter } from "./rate/delay-meter.ts";
import type { Holder } from "./peers/holders.ts";
import type { LossMeter } from "./rate/loss-meter.ts";
import type { FailureDetector } from "./election/failure-detector.ts";
import type { SingleReceiverLosses } from "./repair/single-receiver-losses.ts";
import type { NackCollector } from "./repair/nack-collector.ts";
import type { InFlight } from "./repair/in-flight.ts";
import type { RateControl } from "./rate/rate-control.ts";
import type { SendRateMeter } from "./rate/send-rate-meter.ts";
import type { SendQueue } from "./repair/send-queue.ts";

/** Leader of the session, as a peer knows it. */
export type Leader = {
  device: string;
  term: number;
  ticket: number;
  address: string;
  /**
   * Sender id of the leader's frames; frames of another sender in its name are ignored. Null: only
   * the source named the leader.
   */
  sender: string | null;
  lanPort: number;
  /**
   * How this device knows the leader: from its announcement, its claim, the source (`lease`), or
   * answers to polls although it is no longer received (`exchange`).
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
  /** A WANT received since then serves this device too. */
  wantFromMs: number;
  claimAtMs: number;
  stage: "listening" | "claimed";
  /** The one-time wait of `isolationDelayMs` for other devices was not used yet. */
  mayBeIsolated: boolean;
  settlesAtMs: number;
  leaseAskedAtMs: number;
  /** `refused`: the source still names a representative that this device gave up. */
  lease: "none" | "asked" | "granted" | "unreachable" | "refused";
  /** Holder of the lease before this device, as the grant names it. */
  previousHolder: Holder | null;
  /**
   * Best rival claim received while waiting for the lease. It wins if the source is unreachable.
   */
  rival: Leader | null;
};

/**
 * Why a peer takes chunks by unicast; empty: it uses multicast.
 * - `switched-off`: the setting disables multicast
 * - `wireless`: the interface is a radio
 * - `unheard`: nothing of the lease's holder is received
 * - `fell-silent`: the representative is no longer received, but answers polls
 * - `no-data`: announcements are received, symbols are not
 * - `not-heard`: the representative does not receive this device
 * - `stuck`: everything was multicast, and repairs complete no chunk here
 */
export type UnicastReason =
  "" | "switched-off" | "wireless" | "unheard" | "fell-silent" | "no-data" | "not-heard" | "stuck";

export type PeerState = {
  role: "peer";
  leader: Leader;
  failureDetector: FailureDetector;
  joinedAtMs: number;
  /** Time of the next SEEK; null: none. */
  seekAtMs: number | null;
  nacks: NackSender;
  loss: LossMeter;
  delay: DelayMeter;
  /** Earliest time of the next receiver report. */
  reportFromMs: number;
  symbolsAtMs: number | null;
  announcedAtMs: number;
  /**
   * Since when the representative has announced sent chunks while no symbol arrived; null: not the
   * case.
   */
  dataMissingSinceMs: number | null;
  /** Since when the representative has announced an audience of 0 although this device listens. */
  unseenByLeaderSinceMs: number | null;
  /** Time of the return from unicast to multicast; null: no return, or a symbol arrived since. */
  multicastRetriedAtMs: number | null;
  way: "multicast" | "unicast";
  wayReason: UnicastReason;
  /** Time at which multicast is tried again. */
  retryAtMs: number;
  retries: number;
  wantAtMs: number;
  /** Time at which a chunk was last verified, or more chunks were announced as sent. */
  progressAtMs: number;
  /** Time at which bytes last arrived, or the representative's exchange last answered. */
  answeredAtMs: number;
  /** Chunks that the representative entrusted to this device as its standby; null: none. */
  standbyChunks: StandbyChunks | null;
};

export type RepresentativeState = {
  role: "representative";
  term: number;
  ticket: number;
  electedAtMs: number;
  sendFromMs: number;
  phase: "preparing" | "casting" | "serving";
  queue: SendQueue;
  nacks: NackCollector;
  inFlight: InFlight;
  singleLosses: SingleReceiverLosses;
  rate: RateControl;
  sendRate: SendRateMeter;
  symbolsSent: number;
  /** `symbolsSent` at the last END. */
  symbolsEnded: number;
  announceAtMs: number;
  leaseAtMs: number;
  endedAtMs: number;
  /** Flushes since the last END that named chunks. */
  flushes: number;
  pass: number;
  wantAtMs: number;
  /** Holder of the lease before this device, polled for its chunks; null once that poll ended. */
  previousHolder: Holder | null;
  downloadFromMs: number;
  busyAtMs: number;
  /** Time at which the multicast last had no sole copy left to send. */
  caughtUpAtMs: number;
  servingSinceMs: number | null;
  /** Second copies of chunks that only this device holds. */
  replication: StandbyReplication;
};

export type IdleState = { role: "idle"; why: string; retryAtMs: number | null };

export type RoleState = IdleState | CandidateState | PeerState | RepresentativeState;

/**
 * Whether the peer takes its chunks from holders: multicast does not deliver them, or all were
 * multicast.
 */
export const takesByUnicast = ({ way, leader }: PeerState): boolean =>
  way === "unicast" || leader.phase === phases.serving;
