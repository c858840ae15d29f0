/**
 * How a peer thinks: it listens to its representative, asks for repairs after every END, doubts a silent
 * representative, finds out when multicast does not reach it, and takes what is missing at the end from others.
 */
import { becomeCandidate, becomeIdle, noteElection } from "./becoming.ts";
import { claimantOf, leaderOf } from "./election.ts";
import {
  chunkSetOf,
  type Leader,
  type Member,
  type MemberEvent,
  type PeerState,
  type Sender,
} from "./member.ts";
import { LossMeter } from "./loss.ts";
import type { ControlFrame, FrameOf } from "../wire/frames.ts";
import { ChunkSet } from "./chunkset.ts";
import { reportersMax, timing } from "./timing.ts";

const servingPhase = 2;

export function stepPeer(member: Member, state: PeerState, event: MemberEvent, nowMs: number): void {
  switch (event.type) {
    case "FrameHeard":
      return hear(member, state, event.frame, event.from, nowMs);
    case "SymbolsHeard":
      state.symbolsAtMs = nowMs;
      state.loss.heard(event.count);
      state.suspicion.heard(nowMs);
      served(member, state, nowMs);
      if (state.way === "unicast" && member.config.setting().useMulticast) takeWay(state, "multicast", "");
      return;
    case "ExchangeAnswered":
      if (event.ok && event.device === state.leader.device) served(member, state, nowMs);
      return;
    case "ChunkVerified":
      if (!member.usesWan) served(member, state, nowMs);
      return;
    case "LeaseAnswered":
      // A late answer to an earlier candidacy: the lease is not ours to keep.
      if (event.answer.result === "granted") member.effects.push({ do: "ReleaseLease", failure: null });
      return;
    case "Stalled":
      state.suspicion.doubtSelf(nowMs, event.stalledMs);
      state.answeredAtMs = nowMs;
      return;
    case "WanEnded":
      member.wanEnded();
      // Whatever ended it, it does not begin again at once; after a failure it waits as long as the first time.
      state.answeredAtMs = nowMs;
      if (event.failure !== null) member.fallbackAtMs = null;
      return;
    case "PackageVerified":
      member.send(member.seekFrame());
      return becomeIdle(member, nowMs, "the package is complete", null);
    default:
  }
}

/** The subnet serves this device: its own download is not called for (any more). */
function served(member: Member, state: PeerState, nowMs: number): void {
  state.answeredAtMs = nowMs;
  member.fallbackAtMs = null;
  member.wan(false);
}

function hear(member: Member, state: PeerState, frame: ControlFrame, from: Sender, nowMs: number): void {
  const isFromLeader = "device" in frame && frame.device === state.leader.device;
  switch (frame.type) {
    case "announce":
      if (isFromLeader && frame.term >= state.leader.term)
        return follow(member, state, leaderOf(frame, from, nowMs), nowMs);
      if (!isBetter(frame.term, frame.ticket, state.leader)) return;
      return follow(member, state, leaderOf(frame, from, nowMs), nowMs);
    case "claim":
      return hearClaim(member, state, frame, from, nowMs);
    case "end":
      if (!isFromLeader || frame.term !== state.leader.term) return;
      state.suspicion.heard(nowMs);
      state.leader.pass = Math.max(state.leader.pass, frame.pass);
      measureLoss(member, state, frame, nowMs);
      return state.feedback.ended(frame.castRanges, nowMs, state.leader.audience, member.config.random());
    case "entrust":
      if (!isFromLeader || frame.term !== state.leader.term || frame.toDevice !== member.config.device)
        return;
      return takeTrust(member, state, frame, from, nowMs);
    case "need":
      return state.feedback.overheard(frame.entries);
    case "resign":
      if (!isFromLeader || frame.term < state.leader.term || member.isDone) return;
      return becomeCandidate(member, nowMs, `representative ${frame.device} resigned: ${frame.reason}`);
    default:
  }
}

/** This device is the deputy: it takes at once what it is named. */
function takeTrust(
  member: Member,
  state: PeerState,
  frame: FrameOf<"entrust">,
  from: Sender,
  nowMs: number,
): void {
  const chunks = chunkSetOf(member.config.held.size, frame.ranges);
  const { device, lanPort } = state.leader;
  if (!chunks || state.way === "unicast" || state.leader.phase === servingPhase) return;
  member.holders.note({ device, address: from.address, lanPort }, chunks, 0);
  state.entrusted = { chunks, untilMs: nowMs + timing.entrustedMs };
  member.refetch();
}

/** A sample of the receivers says how much it lost: enough for a median, whatever the audience. */
function measureLoss(member: Member, state: PeerState, frame: FrameOf<"end">, nowMs: number): void {
  const lossPermille = state.loss.ended(frame.symbolsSent);
  const { device, random } = member.config;
  const chance = reportersMax / Math.max(1, state.leader.audience);
  if (lossPermille === null || nowMs < state.reportFromMs) return;
  state.reportFromMs = nowMs + timing.reportEveryMs;
  if (random() < chance)
    member.send({ type: "report", device, term: frame.term, pass: frame.pass, lossPermille });
}

const isBetter = (term: number, ticket: number, leader: Leader): boolean =>
  term > leader.term || (term === leader.term && (leader.known !== "announce" || ticket < leader.ticket));

/** A claim against a representative that this device still hears is the claimant's error; otherwise it is followed. */
function hearClaim(
  member: Member,
  state: PeerState,
  frame: Extract<ControlFrame, { type: "claim" }>,
  from: Sender,
  nowMs: number,
): void {
  if (!isBetter(frame.term, frame.ticket, state.leader)) return;
  const leaderIsFresh =
    state.leader.known === "announce" && nowMs < state.suspicion.suspectsAtMs - timing.announceEveryMs;
  if (leaderIsFresh) return;
  member.term = Math.max(member.term, frame.term - 1);
  state.leader = claimantOf(frame, from);
  state.joinedAtMs = nowMs;
}

function follow(member: Member, state: PeerState, leader: Leader, nowMs: number): void {
  const before = state.leader;
  const size = member.config.held.size;
  member.term = Math.max(member.term, leader.term);
  noteElection(member, leader, nowMs);
  if (!isSameLife(before, leader)) {
    // It has heard of nobody yet, and counts what it sends from 0.
    state.seekAtMs = nowMs + member.config.random() * timing.feedbackDelayMsMax * 2;
    state.loss = new LossMeter();
  }
  state.leader = leader;
  state.suspicion.heard(nowMs);
  if (before.known !== "announce" && state.wayReason === unheardReason) takeWay(state, "multicast", "");
  if (state.way === "multicast") member.fallbackAtMs = null;
  // One that joins later waits for proof that something was sent since.
  const casts = state.castingSinceMs === null && leader.castCount > before.castCount;
  if (leader.phase === 1 && (casts || before.phase !== 1 || before.device !== leader.device))
    state.castingSinceMs = nowMs;
  if (leader.phase !== 1) state.castingSinceMs = null;
  // An END that was lost shows in the number of passes.
  if (leader.pass > before.pass && leader.device === before.device && leader.castCount > 0) {
    const cast = ChunkSet.fromRanges(size, [0, Math.min(size, leader.castCount)]);
    if (cast) state.feedback.ended(cast.toRanges(), nowMs, leader.audience, member.config.random());
  }
  if (leader.frontCount === size) member.holders.note(leader, ChunkSet.full(size), 50);
}

/** The same device may have died and come back before it was missed: its ticket is another one. */
const isSameLife = (before: Leader, leader: Leader): boolean =>
  before.device === leader.device &&
  before.term === leader.term &&
  (before.ticket === leader.ticket || before.known !== "announce");

const unheardReason = "the source names a representative that is not heard here";
const switchedOffReason = "the setting says useMulticast=false";

export function tickPeer(member: Member, state: PeerState, nowMs: number): void {
  if (member.isDone) return;
  if (state.seekAtMs !== null && nowMs >= state.seekAtMs) {
    member.send(member.seekFrame());
    state.seekAtMs = state.leader.known === "announce" ? null : nowMs + timing.wantEveryMs;
  }
  if (state.way === "multicast") say(member, state, nowMs);
  findWay(member, state, nowMs);
  if (doubt(member, state, nowMs)) return;
  repair(member, state, nowMs);
}

function say(member: Member, state: PeerState, nowMs: number): void {
  const { device, lanPort, lacksOf } = member.config;
  const { term, pass } = state.leader;
  // A straggler would be repaired at everybody's cost: it completes from its peers after the end.
  if (state.loss.straggles) return;
  for (const entries of state.feedback.take(nowMs, lacksOf))
    member.send({ type: "need", device, term, pass, entries, lanPort });
}

function findWay(member: Member, state: PeerState, nowMs: number): void {
  if (state.way === "unicast") return;
  if (!member.config.setting().useMulticast) {
    state.answeredAtMs = nowMs;
    return takeWay(state, "unicast", switchedOffReason);
  }
  if (state.leader.known === "lease" && nowMs >= state.joinedAtMs + timing.deafMs)
    return takeWay(state, "unicast", unheardReason);
  const castingMs = state.castingSinceMs === null ? 0 : nowMs - state.castingSinceMs;
  const isDeaf = castingMs >= timing.deafMs && (state.symbolsAtMs ?? 0) < state.castingSinceMs!;
  if (isDeaf && state.leader.castCount > member.config.held.count) {
    state.answeredAtMs = nowMs;
    takeWay(state, "unicast", "announcements come through, multicast data does not");
  }
}

function takeWay(state: PeerState, way: PeerState["way"], reason: string): void {
  state.way = way;
  state.wayReason = reason;
}

/** Gives the representative up when it is silent on every way that should reach it. */
function doubt(member: Member, state: PeerState, nowMs: number): boolean {
  if (member.usesWan) return false;
  const { leader } = state;
  if (leader.known === "claim") {
    if (nowMs < state.joinedAtMs + timing.claimantSilentMs) return false;
    becomeCandidate(member, nowMs, `claimant ${leader.device} was never heard again`);
    return true;
  }
  const announces = leader.known === "announce" && state.wayReason !== switchedOffReason;
  if (announces && nowMs >= state.suspicion.suspectsAtMs) {
    member.suspect = leader.device;
    becomeCandidate(
      member,
      nowMs,
      `representative ${leader.device} has been silent for ${timing.suspicionPeriods} announcements`,
    );
    return true;
  }
  if (announces && state.way === "multicast") return false;
  if (nowMs < state.answeredAtMs + timing.unreachableMs) return false;
  member.fallbackAtMs ??= state.answeredAtMs + timing.fallbackMs * (1 + member.config.random());
  if (mayUseWan(member, nowMs)) {
    member.wan(true);
    return false;
  }
  // It is alive and leads: only its bytes do not come through, an election would not change that.
  if (announces) return false;
  member.suspect = leader.device;
  becomeCandidate(
    member,
    nowMs,
    `representative ${leader.device} does not answer at ${leader.address}:${leader.lanPort}`,
  );
  return true;
}

const mayUseWan = (member: Member, nowMs: number): boolean =>
  member.fallbackAtMs !== null &&
  nowMs >= member.fallbackAtMs &&
  member.config.setting().wanFallback !== "never";

/** After the end, or where multicast does not work: what is missing is asked of the others. */
function repair(member: Member, state: PeerState, nowMs: number): void {
  const takesByUnicast = state.way === "unicast" || state.leader.phase === servingPhase;
  if (takesByUnicast || (state.entrusted && nowMs >= state.entrusted.untilMs)) state.entrusted = null;
  member.fetch(takesByUnicast || state.entrusted !== null);
  if (!takesByUnicast || nowMs < state.wantAtMs) return;
  member.ask(nowMs);
  state.wantAtMs = nowMs + timing.wantEveryMs * (1 + member.config.random() * 0.5);
}

export function wakePeerMs(state: PeerState, nowMs: number): number {
  const isSilentAtMs =
    state.leader.known === "claim"
      ? state.joinedAtMs + timing.claimantSilentMs
      : state.leader.known === "announce" && state.way === "multicast"
        ? state.suspicion.suspectsAtMs
        : nowMs + timing.pollEveryMs;
  // What is due already was not called for: the package is complete, or comes another way.
  const dueMs = [isSilentAtMs, state.seekAtMs, state.feedback.dueAtMs].filter(
    (atMs) => atMs !== null && atMs > nowMs,
  );
  return Math.min(nowMs + timing.announceEveryMs, ...(dueMs as number[]));
}
