/**
 * Candidate: looks for a session (SEEK), waits for the back-off of its rank, claims (CLAIM) and
 * yields to better claims. It leads once the source grants the lease, or without a lease when the
 * source is unreachable. docs/PROTOCOL.md, "Candidate", has the rules; the role changes are in
 * transitions.ts.
 */
import { assert } from "../model/assert.ts";
import { becomeIdle, becomePeer, becomeRepresentative, failSession, sendResign } from "./transitions.ts";
import type { Member } from "./member.ts";
import { hasClaimed, nextCandidateStage, type CandidateStage } from "./election/candidate-stage.ts";
import { claimantOf, holderAsLeader, leaderOf, type Leader } from "./election/leader.ts";
import type { CandidateState } from "./state.ts";
import type { LeaseAnswer, MemberEvent, Sender } from "./events.ts";
import type { ControlFrame } from "../wire/frames.ts";
import { requestFallback, onFallbackAnswer, mayUseWan } from "./delivery/wan-fallback.ts";
import { timing } from "./timing.ts";

/** The only code that changes the stage of a candidate. */
function enter(state: CandidateState, stage: CandidateStage): void {
  state.stage = nextCandidateStage(state.stage, stage);
}

export function stepCandidate(
  member: Member,
  state: CandidateState,
  event: MemberEvent,
  nowMs: number,
): void {
  switch (event.type) {
    case "FrameReceived":
      return onFrame(member, state, event.frame, event.from, nowMs);
    case "LeaseAnswered":
      return onLeaseAnswer(member, state, event.answer, nowMs);
    case "PackageVerified":
      return becomeIdle(member, nowMs, "the package is complete", null);
    case "ChunkVerified":
      if (!member.isDownloading) member.fallback.fromMs = null;
      return;
    case "FallbackAnswered":
      return onFallbackAnswer(member, event.answer, nowMs);
    case "DownloadEnded":
      member.onDownloadEnded();
      member.fallback.fromMs = null;
      return;
    case "Stalled":
      if (state.stage.kind === "listening") {
        const claimAtMs = Math.max(state.stage.claimAtMs, nowMs + timing.listenMs);
        enter(state, { ...state.stage, claimAtMs });
      }
      return;
    default:
  }
}

function onFrame(
  member: Member,
  state: CandidateState,
  frame: ControlFrame,
  from: Sender,
  nowMs: number,
): void {
  switch (frame.type) {
    case "announce":
      if (frame.term < member.term) return;
      if (frame.device === member.session.failedLeader) member.session.failedLeader = null;
      return becomePeer(
        member,
        nowMs,
        leaderOf(frame, from, nowMs),
        `received an announcement of representative ${frame.device}`,
      );
    case "claim":
      return onClaim(member, state, claimantOf(frame, from), nowMs);
    default:
  }
}

/**
 * Handles the claim of another candidate. A candidate that has not claimed yet yields to any claim
 * of its term or a later one. After its own claim the higher term wins, then the lower ticket.
 *
 * The lease has priority over tickets. A candidate that waits for the lease only remembers a better
 * claim: otherwise two claimants could each follow the other.
 */
function onClaim(member: Member, state: CandidateState, rival: Leader, nowMs: number): void {
  if (rival.term < state.term) return;
  const { stage } = state;
  const isOwnBetter = rival.term === state.term && state.ticket <= rival.ticket;
  if (hasClaimed(stage) && isOwnBetter) return sendClaim(member, state);
  if (stage.kind !== "requesting") return yieldTo(member, nowMs, rival);
  const known = stage.rival;
  if (!known || rival.term > known.term || rival.ticket < known.ticket) enter(state, { ...stage, rival });
}

const yieldTo = (member: Member, nowMs: number, rival: Leader): void =>
  becomePeer(member, nowMs, rival, `yields to the claim of ${rival.device}`);

function onLeaseAnswer(member: Member, state: CandidateState, answer: LeaseAnswer, nowMs: number): void {
  const { stage } = state;
  switch (answer.result) {
    case "granted":
      state.previousHolder = answer.before;
      state.term = Math.max(state.term, answer.term, rivalOf(stage)?.term ?? 0);
      if (hasClaimed(stage)) enter(state, { kind: "granted" });
      // A guard began after the request.
      else if (stage.kind === "observing") member.effects.push({ do: "ReleaseLease", failure: null });
      return;
    case "free":
      return;
    case "unreachable": {
      const rival = rivalOf(stage);
      if (rival) return yieldTo(member, nowMs, rival);
      if (hasSettling(stage)) enter(state, { kind: "unconfirmed", settlesAtMs: stage.settlesAtMs });
      return;
    }
    case "refused": {
      const leader = holderAsLeader(answer.holder, nowMs);
      const ignoresHolderUntilMs = state.enteredAtMs + timing.rankWindowMs + timing.claimantSilentMs;
      if (leader.device === member.session.failedLeader && nowMs < ignoresHolderUntilMs) {
        if (hasSettling(stage))
          enter(state, { requestedAtMs: nowMs, rival: null, ...stage, kind: "refused" });
        return;
      }
      return becomePeer(member, nowMs, leader, `the source reports that ${leader.device} holds the lease`);
    }
    case "failed":
      // RESIGN spares the devices that yielded to this claim a wait of `claimantSilentMs`.
      sendResign(member, state.term, answer.reason);
      return failSession(member, answer.reason, answer.retryAfterMs, nowMs);
  }
}

export function tickCandidate(member: Member, state: CandidateState, nowMs: number): void {
  assert(member.state === state, "a candidate is ticked in another role");
  const { stage } = state;
  askForHolders(member, state, nowMs);
  if (nowMs >= state.seekAtMs) {
    member.send(member.seekFrame());
    const isEarly = !hasClaimed(stage) && nowMs < claimAtMsOf(stage) - timing.seekRepeatMs;
    state.seekAtMs = nowMs + (isEarly ? timing.seekRepeatMs : timing.wantEveryMs);
  }
  switch (stage.kind) {
    case "observing":
      return waitForOthers(member, state, stage, nowMs);
    case "listening":
      if (nowMs >= stage.claimAtMs) claim(member, state, stage.mayBeIsolated, nowMs);
      return;
    case "refused":
      if (nowMs >= stage.requestedAtMs + timing.leaseRetryMs) request(member, state, stage, nowMs);
      return;
    case "granted":
      return becomeRepresentative(member, nowMs, state, "the source granted the lease");
    case "unconfirmed":
      return leadUnconfirmed(member, state, stage.settlesAtMs, nowMs);
    case "requesting":
      if (nowMs < stage.requestedAtMs + timing.leaseTimeoutMs) return;
      if (stage.rival) return yieldTo(member, nowMs, stage.rival);
      return leadUnconfirmed(member, state, stage.settlesAtMs, nowMs);
  }
}

/** One WANT serves all, as HAVE goes to the group: another device's WANT replaces this one. */
function askForHolders(member: Member, state: CandidateState, nowMs: number): void {
  if (nowMs < state.wantAtMs) return;
  if (!member.isDone && member.lastReceived.wantAtMs < state.wantFromMs) member.sendWant(nowMs);
  state.firstWantAtMs ??= Math.max(state.enteredAtMs, member.lastReceived.wantAtMs);
  state.wantFromMs = nowMs;
  state.wantAtMs = state.stage.kind === "observing" ? nowMs + timing.wantEveryMs : Number.POSITIVE_INFINITY;
}

/** Claims to lead. A device that receives nobody may be isolated, and waits once. */
function claim(member: Member, state: CandidateState, mayBeIsolated: boolean, nowMs: number): void {
  if (mayBeIsolated && member.config.setting().useMulticast && !member.receivesOthers(nowMs)) {
    const claimAtMs = nowMs + timing.isolationDelayMs;
    return enter(state, { kind: "listening", claimAtMs, mayBeIsolated: false });
  }
  request(member, state, { settlesAtMs: nowMs + timing.claimSettleMs, rival: null }, nowMs);
}

/** Asks the source for the lease, and the other candidates with a CLAIM. */
function request(
  member: Member,
  state: CandidateState,
  { settlesAtMs, rival }: { settlesAtMs: number; rival: Leader | null },
  nowMs: number,
): void {
  assert(state.term >= 1, "a candidate claims term 0");
  enter(state, { kind: "requesting", requestedAtMs: nowMs, settlesAtMs, rival });
  member.effects.push({ do: "RequestLease", term: state.term, query: false, starting: true });
  sendClaim(member, state);
}

/** The lease decides between claims. Without it, rival claims need `claimSettleMs` to arrive. */
function leadUnconfirmed(member: Member, state: CandidateState, settlesAtMs: number, nowMs: number): void {
  if (nowMs < settlesAtMs) return;
  becomeRepresentative(member, nowMs, state, "the source is unreachable: the local election decides");
}

type Observing = Extract<CandidateStage, { readonly kind: "observing" }>;

/**
 * Weight 0, or a guard: follows the lease's holder, fetches from holders, and at last uses the WAN
 * fallback.
 */
function waitForOthers(member: Member, state: CandidateState, stage: Observing, nowMs: number): void {
  if (nowMs >= stage.queriedAtMs + timing.leaseQueryMs) {
    enter(state, { ...stage, queriedAtMs: nowMs });
    member.effects.push({ do: "RequestLease", term: state.term, query: true, starting: false });
  }
  member.setFetching(member.holders.count > 0);
  member.fallback.fromMs ??= nowMs + timing.fallbackMs * (1 + member.config.random());
  if (mayUseWan(member, nowMs)) requestFallback(member, nowMs);
}

function sendClaim(member: Member, state: CandidateState): void {
  const { device, lanPort, held } = member.config;
  member.send({
    type: "claim",
    device,
    term: state.term,
    ticket: state.ticket,
    lanPort,
    haveCount: held.count,
  });
}

export const wakeCandidateMs = (state: CandidateState): number =>
  Math.min(state.wantAtMs, state.seekAtMs, stageEndsAtMs(state.stage));

/** Time at which the stage ends without an event. */
function stageEndsAtMs(stage: CandidateStage): number {
  switch (stage.kind) {
    case "listening":
      return stage.claimAtMs;
    case "observing":
      return stage.queriedAtMs + timing.leaseQueryMs;
    case "requesting":
      return Math.max(stage.settlesAtMs, stage.requestedAtMs + timing.leaseTimeoutMs);
    case "granted":
      return 0;
    case "unconfirmed":
      return stage.settlesAtMs;
    case "refused":
      return Math.max(stage.settlesAtMs, stage.requestedAtMs + timing.leaseRetryMs);
  }
}

const claimAtMsOf = (stage: CandidateStage): number =>
  stage.kind === "listening" ? stage.claimAtMs : Number.POSITIVE_INFINITY;

const rivalOf = (stage: CandidateStage): Leader | null => ("rival" in stage ? stage.rival : null);

const hasSettling = (
  stage: CandidateStage,
): stage is Extract<CandidateStage, { readonly settlesAtMs: number }> => "settlesAtMs" in stage;
