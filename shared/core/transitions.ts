/**
 * Role changes, and the only code that writes `member.state`. Each change asserts the legal
 * predecessor, builds the state of the new role and leaves one `RoleChanged` effect.
 */
import { assert } from "../model/assert.ts";
import { leaseDurationMs } from "../model/lease.ts";
import { RollCall } from "./peers/roll-call.ts";
import { firstSymbolSize } from "./symbol-size.ts";
import { StandbyReplication } from "./peers/standby.ts";
import { NackSender } from "./repair/nack-sender.ts";
import type { Member } from "./member.ts";
import type { Leader } from "./election/leader.ts";
import type { CandidateState, RoleState } from "./state.ts";
import { newDelivery } from "./delivery/delivery-mode.ts";
import { DelayMeter } from "./rate/delay-meter.ts";
import { SingleReceiverLosses } from "./repair/single-receiver-losses.ts";
import { LossMeter } from "./rate/loss-meter.ts";
import { NackCollector } from "./repair/nack-collector.ts";
import { InFlight } from "./repair/in-flight.ts";
import { claimDelayMs } from "./election/rank.ts";
import { RateControl } from "./rate/rate-control.ts";
import { assertTransition } from "./roles.ts";
import { SendRateMeter } from "./rate/send-rate-meter.ts";
import { SendQueue } from "./repair/send-queue.ts";
import { FailureDetector } from "./election/failure-detector.ts";
import { timing } from "./timing.ts";
import { limits } from "../wire/index.ts";

function change(member: Member, next: RoleState, why: string): void {
  const from = member.state.role;
  assertTransition(from, next.role);
  member.state = next;
  member.effects.push({ do: "RoleChanged", from, to: next.role, term: member.term, why });
}

/** Looks for a session, and claims to lead after the back-off of its rank. */
export function becomeCandidate(member: Member, nowMs: number, why: string): void {
  const { random, rank, guard } = member.config;
  const rankedMs = claimDelayMs(rank(), random());
  const isGuarded = rankedMs !== null && guard() !== null;
  const delayMs = isGuarded ? null : rankedMs;
  member.setDownloading(false);
  member.setFetching(false);
  change(
    member,
    {
      role: "candidate",
      term: Math.min(member.term + 1, limits.counterMax),
      ticket: Math.floor(random() * 0x1_0000_0000),
      enteredAtMs: nowMs,
      seekAtMs: nowMs,
      wantAtMs: nowMs + random() * timing.listenMs * 0.5,
      wantFromMs: nowMs,
      firstWantAtMs: null,
      stage:
        delayMs === null
          ? { kind: "observing", queriedAtMs: nowMs - timing.leaseQueryMs + timing.listenMs, isGuarded }
          : { kind: "listening", claimAtMs: nowMs + timing.listenMs + delayMs, mayBeIsolated: true },
      previousHolder: null,
    },
    why,
  );
}

/** Follows a session led by another device. */
export function becomePeer(member: Member, nowMs: number, leader: Leader, why: string): void {
  const { held, random } = member.config;
  member.term = Math.max(member.term, leader.term);
  if (leader.known === "announce") noteElection(member, leader, nowMs);
  member.setDownloading(false);
  member.setFetching(false);
  assert(!member.isDownloading && !member.isFetching, "a new peer transfers already");
  change(
    member,
    {
      role: "peer",
      leader,
      failureDetector: new FailureDetector(nowMs, random()),
      followedAtMs: nowMs,
      seekAtMs: nowMs + random() * timing.feedbackDelayMsMax * 2,
      nacks: new NackSender(held, leader.announced.castCount > 0 && member.session.sentEarlier.isEmpty),
      reception: { loss: new LossMeter(), delay: new DelayMeter(), reportFromMs: nowMs },
      delivery: newDelivery(nowMs),
      wantAtMs: nowMs,
      answeredAtMs: nowMs,
      progressAtMs: nowMs,
      standbyChunks: null,
    },
    why,
  );
}

/**
 * Stops leading in favour of another device: follows it, or becomes idle if its package is
 * verified.
 */
export function stepDown(member: Member, nowMs: number, leader: Leader, why: string): void {
  if (!member.verified.isPackage) return becomePeer(member, nowMs, leader, why);
  member.send(member.seekFrame());
  becomeIdle(member, nowMs, `${why}; the package is complete`, null);
}

/**
 * Notes what outlasts an announced leader: the symbol size, and the time of the session's first
 * election, from which the start delay counts. It may precede the time at which this device joined.
 * With another delay than the leader's, a takeover starts at the announced time or earlier.
 */
export function noteElection(member: Member, { announced }: Leader, nowMs: number): void {
  member.session.electedAtMs ??= Math.min(
    nowMs,
    announced.startsAtMs - member.config.setting().sessionStartDelayMs,
  );
  member.session.symbolSizeBytes = announced.symbolSizeBytes;
}

/**
 * Leads the session in the candidate's term: the lease is granted, or the source is unreachable.
 */
export function becomeRepresentative(
  member: Member,
  nowMs: number,
  state: CandidateState,
  why: string,
): void {
  const { term, ticket } = state;
  const { held, setting, device } = member.config;
  assert(term >= 1 && term <= limits.counterMax, "a term is out of range");
  const queue = new SendQueue(held, member.session.sentEarlier);
  const inFlight = new InFlight();
  member.term = Math.max(member.term, term);
  member.roster.forget(device);
  member.holders.forget(device);
  member.session.electedAtMs ??= nowMs;
  member.session.symbolSizeBytes = firstSymbolSize(member);
  change(
    member,
    {
      role: "representative",
      term,
      ticket,
      electedAtMs: nowMs,
      sendFromMs: Math.max(nowMs, member.session.electedAtMs + setting().sessionStartDelayMs),
      phase: { kind: "preparing" },
      stream: {
        queue,
        rate: new RateControl(setting().lanRateBps, nowMs),
        meter: new SendRateMeter(),
        symbolsSent: 0,
        symbolSizeBytes: member.session.symbolSizeBytes,
        caughtUpAtMs: Number.NEGATIVE_INFINITY,
      },
      repair: {
        nacks: new NackCollector(held.size, (chunk) => queue.wasSent(chunk), inFlight),
        inFlight,
        singleLosses: new SingleReceiverLosses(held.size),
      },
      pass: { number: 0, endedAtMs: nowMs, symbolsEnded: 0, flushes: 0 },
      due: {
        announceAtMs: nowMs,
        leaseAtMs: nowMs + timing.leaseRenewMs,
        wantAtMs: nowMs + timing.wantEveryMs,
        // A WANT of a device that begins later asks for the same answers.
        downloadFromMs:
          (state.firstWantAtMs ?? state.enteredAtMs) +
          haveWaitMs(term, setting().useMulticast && member.receivesOthers(nowMs)),
      },
      busyAtMs: nowMs,
      copies: { previousHolder: state.previousHolder, replication: new StandbyReplication() },
      lease: {
        untilMs: state.stage.kind === "granted" ? nowMs + leaseDurationMs : null,
        aloneFromMs: null,
      },
      rollCall: new RollCall(),
    },
    why,
  );
}

/** Takes no part: done, stopped, or waiting until `retryAtMs` to try again. */
export function becomeIdle(member: Member, nowMs: number, why: string, retryAtMs: number | null): void {
  member.setDownloading(false);
  member.setFetching(false);
  assert(retryAtMs === null || retryAtMs >= nowMs, "an idle device tries again in the past");
  if (member.state.role === "idle") member.state = { role: "idle", why, retryAtMs };
  else change(member, { role: "idle", why, retryAtMs }, why);
}

/** Upper bound on the reason of a RESIGN, characters. */
const resignReasonMax = 200;

/** Sends RESIGN: the devices that follow need not wait for silence. */
export function sendResign(member: Member, term: number, reason: string): void {
  const { device } = member.config;
  member.send({ type: "resign", device, term, reason: reason.slice(0, resignReasonMax) });
}

/**
 * Stops leading and gives the lease back.
 * @param failure reason for the source; null: the work is done, or another device does it
 */
export function resign(member: Member, term: number, reason: string, failure: string | null = null): void {
  sendResign(member, term, reason);
  member.effects.push({ do: "ReleaseLease", failure });
}

/** Ends the session here after a failure, until `retryAfterMs` from now. */
export function failSession(member: Member, reason: string, retryAfterMs: number, nowMs: number): void {
  member.effects.push({ do: "Failed", reason, retryAfterMs });
  becomeIdle(member, nowMs, reason, nowMs + retryAfterMs);
}

/** Wait from the WANT of the election to the first byte over the WAN. */
function haveWaitMs(term: number, receivesOthers: boolean): number {
  if (term === 1) return timing.haveWaitMs;
  // Without multicast, peers state what they hold only when they poll.
  return receivesOthers ? timing.successorWaitMs : timing.pollWaitMs;
}
