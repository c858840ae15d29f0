/**
 * State of a member in each role: idle, candidate, peer, representative. Plain records:
 * transitions.ts replaces them; candidate.ts, peer.ts and representative.ts work on them.
 */
import { phases } from "../wire/index.ts";
import type { Delivery } from "./delivery/delivery-mode.ts";
import type { CandidateStage } from "./election/candidate-stage.ts";
import type { FailureDetector } from "./election/failure-detector.ts";
import type { Leader } from "./election/leader.ts";
import type { Holder } from "./peers/holders.ts";
import type { Phase } from "./phase.ts";
import type { StandbyChunks, StandbyReplication } from "./peers/standby.ts";
import type { DelayMeter } from "./rate/delay-meter.ts";
import type { LossMeter } from "./rate/loss-meter.ts";
import type { RollCall } from "./peers/roll-call.ts";
import type { RateControl } from "./rate/rate-control.ts";
import type { SendRateMeter } from "./rate/send-rate-meter.ts";
import type { InFlight } from "./repair/in-flight.ts";
import type { NackCollector } from "./repair/nack-collector.ts";
import type { NackSender } from "./repair/nack-sender.ts";
import type { SendQueue } from "./repair/send-queue.ts";
import type { SingleReceiverLosses } from "./repair/single-receiver-losses.ts";

export type CandidateState = {
  readonly role: "candidate";
  term: number;
  readonly ticket: number;
  readonly enteredAtMs: number;
  seekAtMs: number;
  wantAtMs: number;
  /** A WANT received since then serves this device too. */
  wantFromMs: number;
  /** First WANT of this election, sent or received; null: none so far. */
  firstWantAtMs: number | null;
  stage: CandidateStage;
  /** Holder of the lease before this device, as the grant names it. */
  previousHolder: Holder | null;
};

/** How well a peer receives the multicast, for its receiver reports. */
export type Reception = {
  loss: LossMeter;
  delay: DelayMeter;
  /** Earliest time of the next receiver report. */
  reportFromMs: number;
};

export type PeerState = {
  readonly role: "peer";
  leader: Leader;
  readonly failureDetector: FailureDetector;
  /** Time at which this device began to follow the leader. */
  followedAtMs: number;
  /** Time of the next SEEK; null: none. */
  seekAtMs: number | null;
  readonly nacks: NackSender;
  reception: Reception;
  readonly delivery: Delivery;
  wantAtMs: number;
  /** Time at which a chunk was last verified, or more chunks were announced as sent. */
  progressAtMs: number;
  /** Time at which bytes last arrived, or the representative's exchange last answered. */
  answeredAtMs: number;
  /** Chunks that the representative entrusted to this device as its standby; null: none. */
  standbyChunks: StandbyChunks | null;
};

/** The multicast of a representative: what it sends, and how fast. */
export type Stream = {
  readonly queue: SendQueue;
  readonly rate: RateControl;
  readonly meter: SendRateMeter;
  symbolsSent: number;
  /** Payload of a full symbol. Falls while the session runs, and never rises. */
  symbolSizeBytes: number;
  /** Time at which the multicast last had no sole copy left to send. */
  caughtUpAtMs: number;
};

/** Losses of the receivers, and the repairs sent for them. */
export type Repair = {
  readonly nacks: NackCollector;
  readonly inFlight: InFlight;
  readonly singleLosses: SingleReceiverLosses;
};

/** The last pass: the symbols up to an END. */
export type Pass = {
  number: number;
  endedAtMs: number;
  /** `symbolsSent` at its END. */
  symbolsEnded: number;
  /** Flushes since the last END that named chunks. */
  flushes: number;
};

/** Times at which a representative acts next. */
export type Due = { announceAtMs: number; leaseAtMs: number; wantAtMs: number; downloadFromMs: number };

export type RepresentativeState = {
  readonly role: "representative";
  readonly term: number;
  readonly ticket: number;
  readonly electedAtMs: number;
  /** Start of the multicast: the start delay is over, or every expected device takes part. */
  sendFromMs: number;
  phase: Phase;
  readonly stream: Stream;
  readonly repair: Repair;
  readonly pass: Pass;
  readonly due: Due;
  /** Time of the last event for which the session stays open. */
  busyAtMs: number;
  readonly copies: Copies;
  readonly lease: Lease;
  readonly rollCall: RollCall;
};

/** The lease of a representative, and what follows when the source is silent. */
export type Lease = {
  /** End of the lease as last granted; null: it was never granted, the local election decided. */
  untilMs: number | null;
  /**
   * Time from which the download continues although the lease has run out and no device follows;
   * null while one of the two is not so.
   */
  aloneFromMs: number | null;
};

/** Copies of chunks by unicast: from the previous holder of the lease, and to the standby. */
export type Copies = {
  /** Polled for its chunks; null once that poll ended. */
  previousHolder: Holder | null;
  /** Second copies of chunks that only this device holds. */
  readonly replication: StandbyReplication;
};

export type IdleState = {
  readonly role: "idle";
  readonly why: string;
  /** Time at which to become a candidate again; null: never. */
  readonly retryAtMs: number | null;
};

export type RoleState = IdleState | CandidateState | PeerState | RepresentativeState;

/**
 * Whether the peer takes its chunks from holders: multicast does not deliver them, or all were
 * multicast.
 */
export const takesByUnicast = ({ delivery, leader }: PeerState): boolean =>
  delivery.mode.kind === "unicast" || leader.announced.phase === phases.serving;
