/**
 * Candidate: looks for a session (SEEK), waits for the back-off of its rank, claims (CLAIM) and
 * yields to better claims. It leads once the source grants the lease, or without a lease when the
 * source is unreachable. docs/PROTOCOL.md, "Candidate", has the rules; the role changes are in
 * transitions.ts.
 */
import { becomeIdle, becomePeer, becomeRepresentative } from "./transitions.ts";
import type { Member } from "./member.ts";
import type { CandidateState, Leader } from "./state.ts";
import type { LeaseAnswer, MemberEvent, Sender } from "./events.ts";
import type { ControlFrame } from "../wire/frames.ts";
import { requestFallback, onFallbackAnswer, mayUseWan } from "./delivery/wan-fallback.ts";
import { timing } from "./timing.ts";

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
      if (!member.isDownloading) member.fallbackAtMs = null;
      return;
    case "FallbackAnswered":
      return onFallbackAnswer(member, event.answer, nowMs);
    case "DownloadEnded":
      member.onDownloadEnded();
      member.fallbackAtMs = null;
      return;
    case "Stalled":
      state.claimAtMs = Math.max(state.claimAtMs, nowMs + timing.listenMs);
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
      if (frame.device === member.failedLeader) member.failedLeader = null;
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
  const isOwnBetter = rival.term === state.term && state.ticket <= rival.ticket;
  if (state.stage === "claimed" && isOwnBetter) return sendClaim(member, state);
  if (state.lease !== "asked" && state.lease !== "granted") return yieldTo(member, nowMs, rival);
  if (!state.rival || rival.term > state.rival.term || rival.ticket < state.rival.ticket) state.rival = rival;
}

const yieldTo = (member: Member, nowMs: number, rival: Leader): void =>
  becomePeer(member, nowMs, rival, `yields to the claim of ${rival.device}`);

function onLeaseAnswer(member: Member, state: CandidateState, answer: LeaseAnswer, nowMs: number): void {
  switch (answer.result) {
    case "granted":
      state.lease = "granted";
      state.previousHolder = answer.before;
      state.term = Math.max(state.term, answer.term, state.rival?.term ?? 0);
      return;
    case "free":
      return;
    case "unreachable":
      if (state.stage === "listening") return;
      state.lease = "unreachable";
      return state.rival ? yieldTo(member, nowMs, state.rival) : undefined;
    case "refused": {
      const leader = holderAsLeader(answer.holder, nowMs);
      const ignoresHolderUntilMs = state.enteredAtMs + timing.rankWindowMs + timing.claimantSilentMs;
      if (leader.device === member.failedLeader && nowMs < ignoresHolderUntilMs) {
        state.lease = "refused";
        return;
      }
      return becomePeer(member, nowMs, leader, `the source reports that ${leader.device} holds the lease`);
    }
    case "failed":
      // RESIGN spares the devices that yielded to this claim a wait of `claimantSilentMs`.
      member.send({
        type: "resign",
        device: member.config.device,
        term: state.term,
        reason: answer.reason.slice(0, 200),
      });
      member.effects.push({ do: "Failed", reason: answer.reason, retryAfterMs: answer.retryAfterMs });
      return becomeIdle(member, nowMs, answer.reason, nowMs + answer.retryAfterMs);
  }
}

export function tickCandidate(member: Member, state: CandidateState, nowMs: number): void {
  if (nowMs >= state.wantAtMs) {
    // One WANT serves all, as HAVE goes to the group: another device's WANT replaces this one.
    if (member.lastWantAtMs < state.wantFromMs) member.sendWant(nowMs);
    state.wantFromMs = nowMs;
    state.wantAtMs = neverLeads(state) ? nowMs + timing.wantEveryMs : Number.POSITIVE_INFINITY;
  }
  if (nowMs >= state.seekAtMs) {
    member.send(member.seekFrame());
    const isListening = state.stage === "listening" && nowMs < state.claimAtMs - timing.seekRepeatMs;
    state.seekAtMs = nowMs + (isListening ? timing.seekRepeatMs : timing.wantEveryMs);
  }
  if (neverLeads(state)) waitForOthers(member, state, nowMs);
  if (state.stage === "listening") {
    if (nowMs < state.claimAtMs) return;
    if (state.mayBeIsolated && member.config.setting().useMulticast && !member.receivesOthers(nowMs)) {
      state.mayBeIsolated = false;
      state.claimAtMs = nowMs + timing.isolationDelayMs;
      return;
    }
    state.stage = "claimed";
    state.claimAtMs = nowMs;
    state.settlesAtMs = nowMs + timing.claimSettleMs;
    state.lease = "asked";
    state.leaseAskedAtMs = nowMs;
    member.effects.push({ do: "RequestLease", term: state.term, query: false });
    sendClaim(member, state);
    return;
  }
  if (state.lease === "refused" && nowMs >= state.leaseAskedAtMs + timing.leaseRetryMs) {
    state.lease = "asked";
    state.leaseAskedAtMs = nowMs;
    member.effects.push({ do: "RequestLease", term: state.term, query: false });
    sendClaim(member, state);
  }
  const sourceIsSilent = state.lease === "asked" && nowMs >= state.leaseAskedAtMs + timing.leaseTimeoutMs;
  if (sourceIsSilent && state.rival) return yieldTo(member, nowMs, state.rival);
  const isGranted = state.lease === "granted";
  // The lease decides between claims. Without it, rival claims need `claimSettleMs` to arrive.
  const isUncontested = (state.lease === "unreachable" || sourceIsSilent) && nowMs >= state.settlesAtMs;
  if (isGranted || isUncontested) {
    const why = isGranted
      ? "the source granted the lease"
      : "the source is unreachable: the local election decides";
    becomeRepresentative(member, nowMs, state, why);
  }
}

/**
 * Weight 0: follows the lease's holder, fetches from holders, and at last uses the WAN fallback.
 */
function waitForOthers(member: Member, state: CandidateState, nowMs: number): void {
  if (nowMs >= state.leaseAskedAtMs + timing.leaseQueryMs) {
    state.leaseAskedAtMs = nowMs;
    member.effects.push({ do: "RequestLease", term: state.term, query: true });
  }
  member.setFetching(member.holders.count > 0);
  member.fallbackAtMs ??= nowMs + timing.fallbackMs * (1 + member.config.random());
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
  Math.min(
    state.wantAtMs,
    state.seekAtMs,
    neverLeads(state) ? state.leaseAskedAtMs + timing.leaseQueryMs : Number.POSITIVE_INFINITY,
    state.stage === "listening" ? state.claimAtMs : Math.max(state.settlesAtMs, leaseDueMs(state)),
  );

/** Weight 0: the rank has no claim delay. */
const neverLeads = (state: CandidateState): boolean => state.claimAtMs === Number.POSITIVE_INFINITY;

function leaseDueMs(state: CandidateState): number {
  if (state.lease === "refused") return state.leaseAskedAtMs + timing.leaseRetryMs;
  return state.lease === "asked" ? state.leaseAskedAtMs + timing.leaseTimeoutMs : 0;
}

const unknownLeader: Leader = {
  device: "",
  term: 0,
  ticket: 0,
  address: "",
  sender: null,
  lanPort: 0,
  known: "lease",
  phase: 0,
  startsAtMs: 0,
  castCount: 0,
  frontCount: 0,
  pass: 0,
  audience: 0,
  rateBps: 0,
};

export function leaderOf(
  frame: Extract<ControlFrame, { type: "announce" }>,
  from: Sender,
  nowMs: number,
): Leader {
  const { device, term, ticket, phase, castCount, frontCount, pass, audience, rateBps, lanPort } = frame;
  const startsAtMs = nowMs + frame.startsInMs;
  return {
    device,
    term,
    ticket,
    phase,
    castCount,
    frontCount,
    pass,
    audience,
    rateBps,
    lanPort,
    address: from.address,
    sender: from.sender,
    known: "announce",
    startsAtMs,
  };
}

export function claimantOf(frame: Extract<ControlFrame, { type: "claim" }>, from: Sender): Leader {
  const { device, term, ticket, lanPort } = frame;
  return { ...unknownLeader, ...from, device, term, ticket, lanPort, known: "claim" };
}

export function holderAsLeader(
  holder: Extract<LeaseAnswer, { result: "refused" }>["holder"],
  nowMs: number,
): Leader {
  const { deviceId, address, lanPort, term } = holder;
  return { ...unknownLeader, device: deviceId, address, lanPort, term, startsAtMs: nowMs };
}
