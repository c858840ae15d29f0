/**
 * What a member knows in each of its roles: idle, candidate, peer, representative. Plain records; the transitions between
 * the roles are in transitions.ts, and what happens within one in candidate.ts, peer.ts and representative.ts.
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
  mayBeIsolated: boolean;
  settlesAtMs: number;
  leaseAskedAtMs: number;
  /** Refused: the source still names a representative that this device gave up for dead. */
  lease: "none" | "asked" | "granted" | "unreachable" | "refused";
  /** From the lease's grant. */
  previousHolder: Holder | null;
  /** The best other claim heard while the lease was asked for: it counts if the source cannot be asked. */
  rival: Leader | null;
};

/**
 * Why a peer takes chunks by unicast. switched-off: the setting says so; wireless: its interface is a radio; unheard:
 * nothing of the lease's holder is heard; fell-silent: its representative is heard no more but answers by unicast;
 * no-data: announcements come, symbols do not; not-heard: the representative does not hear this device; stuck: all was
 * multicast, and its repairs bring this device nothing.
 */
export type UnicastReason =
  "" | "switched-off" | "wireless" | "unheard" | "fell-silent" | "no-data" | "not-heard" | "stuck";

export type PeerState = {
  role: "peer";
  leader: Leader;
  failureDetector: FailureDetector;
  joinedAtMs: number;
  /** When to say (again) who we are and what we miss. */
  seekAtMs: number | null;
  nacks: NackSender;
  loss: LossMeter;
  delay: DelayMeter;
  /** From then on it may report again. */
  reportFromMs: number;
  symbolsAtMs: number | null;
  announcedAtMs: number;
  /** Since when the representative says that it multicasts and nothing comes. */
  dataMissingSinceMs: number | null;
  /** Since when the representative says that nobody listens, although this device does. */
  unseenByLeaderSinceMs: number | null;
  /** Back from unicast since then, and no symbol yet. */
  multicastRetriedAtMs: number | null;
  way: "multicast" | "unicast";
  wayReason: UnicastReason;
  /** Multicast is tried again then. */
  retryAtMs: number;
  retries: number;
  wantAtMs: number;
  /** When a chunk was verified last, or more of the package announced as sent. */
  progressAtMs: number;
  /** When bytes came last, or the representative's exchange answered. */
  answeredAtMs: number;
  /** What the representative asked this device to keep for it; null: nothing, or not any more. */
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
  /** At the last END. */
  symbolsEnded: number;
  announceAtMs: number;
  leaseAtMs: number;
  endedAtMs: number;
  /** ENDs without a chunk since the last one that named some. */
  flushes: number;
  pass: number;
  wantAtMs: number;
  /** Held the lease before, and is asked what it holds; null once it answered. */
  previousHolder: Holder | null;
  downloadFromMs: number;
  busyAtMs: number;
  /** When the multicast last had sent everything there was. */
  caughtUpAtMs: number;
  servingSinceMs: number | null;
  /** Sees to it that what only this device holds is not lost with it. */
  replication: StandbyReplication;
};

export type IdleState = { role: "idle"; why: string; retryAtMs: number | null };

export type RoleState = IdleState | CandidateState | PeerState | RepresentativeState;

/** Hears nothing that would bring its chunks, or everything was multicast: it takes them from others. */
export const takesByUnicast = ({ way, leader }: PeerState): boolean =>
  way === "unicast" || leader.phase === phases.serving;
