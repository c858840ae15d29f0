/**
 * How a peer thinks: it listens to its representative, asks for repairs after every END, doubts a silent
 * representative, finds out when multicast does not reach it, and takes what is missing at the end from others.
 */
import { becomeCandidate, becomeIdle, noteElection } from "./transitions.ts";
import { claimantOf, leaderOf } from "./candidate.ts";
import { chunkSetOf, type Member } from "./member.ts";
import type { MemberConfig } from "./config.ts";
import { takesByUnicast, type Leader, type PeerState } from "./state.ts";
import type { MemberEvent, Sender } from "./events.ts";
import { DelayMeter } from "./rate/delay-meter.ts";
import { LossMeter } from "./rate/loss-meter.ts";
import { phases, type ControlFrame, type FrameOf } from "../wire/frames.ts";
import { ChunkSet, type Ranges } from "../model/chunk-set.ts";
import { askFallback, fallbackAnswered, mayUseWan } from "./delivery/wan-fallback.ts";
import { lostChunksMax, reportersMax, timing } from "./timing.ts";
import {
  announcementCame,
  answeredThough,
  findWay,
  symbolsCame,
  takeMulticast,
} from "./delivery/delivery-mode.ts";

export function stepPeer(member: Member, state: PeerState, event: MemberEvent, nowMs: number): void {
  switch (event.type) {
    case "FrameHeard":
      return hear(member, state, event.frame, event.from, nowMs);
    case "SymbolsHeard":
      state.loss.heard(event.count);
      state.suspicion.heard(nowMs);
      if (!leaderIsWrong(member, state)) served(member, state, nowMs);
      return symbolsCame(state, nowMs);
    case "ExchangeAnswered":
      if (event.ok && event.device === state.leader.device) answered(member, state, event.leads, nowMs);
      return;
    case "ServedWrong":
      return member.servedWrong(event.device);
    case "ChunkVerified":
      state.progressAtMs = nowMs;
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
    case "FallbackAnswered":
      return fallbackAnswered(member, event.answer, nowMs);
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

/** The representative's exchange answered. */
function answered(member: Member, state: PeerState, leads: number, nowMs: number): void {
  const { leader } = state;
  if (leaderIsWrong(member, state)) return;
  const mayLead = leader.known === "lease" || leader.known === "exchange";
  if (leads === 0 && mayLead && member.nextWanRun(nowMs)) {
    return becomeCandidate(member, nowMs, `representative ${leader.device} leads no more`);
  }
  served(member, state, nowMs);
  if (leads > 0 && doubtsSilence(state, nowMs)) answeredThough(state, nowMs);
}

/** The subnet serves this device: its own download is not called for (any more). */
function served(member: Member, state: PeerState, nowMs: number): void {
  state.answeredAtMs = nowMs;
  member.fallbackAtMs = null;
  member.wan(false);
}

const leaderIsWrong = (member: Member, { leader }: PeerState): boolean =>
  member.wrongDevices.has(leader.device);

function hear(member: Member, state: PeerState, frame: ControlFrame, from: Sender, nowMs: number): void {
  const isFromLeader = frame.device === state.leader.device && isItself(state, from, nowMs);
  switch (frame.type) {
    case "announce":
      if (
        (isFromLeader && frame.term >= state.leader.term) ||
        isBetter(frame.term, frame.ticket, state.leader)
      )
        follow(member, state, leaderOf(frame, from, nowMs), nowMs);
      return;
    case "claim":
      return hearClaim(member, state, frame, from, nowMs);
    case "end":
      if (!isFromLeader || frame.term !== state.leader.term) return;
      // One that was started anew is followed from its next announcement on.
      if (from.sender === state.leader.sender) state.suspicion.spoke(nowMs);
      else state.suspicion.heard(nowMs);
      // An END that was lost shows in the number of passes.
      if (frame.pass > state.leader.pass + 1) loseEnd(member, state, nowMs);
      state.leader.pass = Math.max(state.leader.pass, frame.pass);
      measure(member, state, frame, nowMs);
      return hearEnd(member, state, frame.castRanges, nowMs);
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

/**
 * Not somebody who speaks in its name. One that says nothing for long may have been started anew: then it has another
 * sender, and the symbols that still come may be that one's.
 */
const isItself = ({ leader, suspicion }: PeerState, { sender }: Sender, nowMs: number): boolean =>
  leader.sender === sender || leader.known !== "announce" || nowMs >= suspicion.mayBeAnewAtMs;

const isFresh = ({ leader, suspicion }: PeerState, nowMs: number): boolean =>
  leader.known === "announce" && nowMs < suspicion.suspectsAtMs - timing.announceEveryMs;

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
  if (!chunks || state.way === "unicast" || state.leader.phase === phases.serving) return;
  member.holders.note({ device, address: from.address, lanPort }, chunks, 0);
  state.entrusted = { chunks, untilMs: nowMs + timing.entrustedMs };
  member.refetch();
}

function hearEnd(member: Member, state: PeerState, castRanges: Ranges, nowMs: number): void {
  const { size } = member.config.held;
  const cast = castRanges.length > 0 ? chunkSetOf(size, castRanges) : knownCast(member, state);
  if (!cast) return;
  member.castBefore.addAll(cast);
  state.feedback.ended(cast, nowMs, state.leader.audience, member.config.random());
}

/**
 * Everything was sent. Missing chunks that this device knows of: symbols of them came, or an END named them. A few others were lost
 * together with their END; many were sent before it listened.
 */
function knownCast({ castBefore, config }: Member, { feedback }: PeerState): ChunkSet {
  const known = castBefore.clone();
  known.deleteAll(config.held);
  addBegun(known, config, null);
  const missing = config.held.complement();
  const isLost = !feedback.joinsLate && missing.count - known.count <= lostChunksMax(missing.size);
  return isLost ? missing : known;
}

/** Missing chunks of which symbols came. */
function addBegun(to: ChunkSet, { held, lacksOf }: MemberConfig, except: number | null): void {
  for (let chunk = held.nextMissing(0); chunk >= 0; chunk = held.nextMissing(chunk + 1))
    if (chunk !== except && lacksOf(chunk, () => undefined)) to.add(chunk);
}

/** What it named is known as far as symbols came of it; of chunks lost as a whole only where they go out in order. */
function loseEnd({ castBefore, config }: Member, { feedback, leader }: PeerState, nowMs: number): void {
  const { held, random } = config;
  const first = castBefore.end;
  const count = Math.min(leader.castCount, held.size) - first;
  const named = (count > 0 ? chunkSetOf(held.size, [first, count]) : null) ?? new ChunkSet(held.size);
  // Its own END is still to come, unless everything was sent once.
  const current = leader.castCount < held.size ? config.currentChunk() : null;
  addBegun(named, config, current);
  feedback.ended(named, nowMs, leader.audience, random());
}

/** A sample of the receivers says how much it lost and how long it was held back: enough for a median, whatever the audience. */
function measure(member: Member, state: PeerState, frame: FrameOf<"end">, nowMs: number): void {
  const lossPermille = state.loss.ended(frame.symbolsSent);
  const queuedMs = state.delay.ended(frame.sentAtMs, nowMs);
  const { device, random } = member.config;
  const chance = reportersMax / Math.max(1, state.leader.audience);
  if (lossPermille === null || nowMs < state.reportFromMs) return;
  state.reportFromMs = nowMs + timing.reportEveryMs;
  if (random() < chance)
    member.send({ type: "report", device, term: frame.term, pass: frame.pass, lossPermille, queuedMs });
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
  if (isFresh(state, nowMs)) return;
  member.term = Math.max(member.term, frame.term - 1);
  state.leader = claimantOf(frame, from);
  state.joinedAtMs = nowMs;
}

function follow(member: Member, state: PeerState, leader: Leader, nowMs: number): void {
  const before = state.leader;
  const size = member.config.held.size;
  member.term = Math.max(member.term, leader.term);
  noteElection(member, leader, nowMs);
  // It was asked by unicast meanwhile, and counts this device as one that does not listen.
  if (state.way === "multicast" && doubtsSilence(state, nowMs)) takeMulticast(state, nowMs);
  announcementCame(state, leader, nowMs);
  if (!isSameLife(before, leader)) {
    // It has heard of nobody yet, and counts what it sends from 0.
    state.seekAtMs = nowMs + member.config.random() * timing.feedbackDelayMsMax * 2;
    state.loss = new LossMeter();
    state.delay = new DelayMeter();
  }
  state.leader = leader;
  state.suspicion.spoke(nowMs);
  if (state.way === "multicast" && state.returnedAtMs === null && !leaderIsWrong(member, state))
    member.fallbackAtMs = null;
  if (leader.device !== before.device || leader.castCount > before.castCount) state.progressAtMs = nowMs;
  // The last one that was lost.
  if (leader.pass > before.pass && leader.device === before.device) loseEnd(member, state, nowMs);
  if (leader.frontCount === size) member.holders.note(leader, ChunkSet.full(size), 50);
}

/** The same device may have died and come back before it was missed: its ticket is another one. */
const isSameLife = (before: Leader, leader: Leader): boolean =>
  before.device === leader.device &&
  before.term === leader.term &&
  (before.ticket === leader.ticket || before.known !== "announce");

export function tickPeer(member: Member, state: PeerState, nowMs: number): void {
  if (member.isDone) return;
  if (state.seekAtMs !== null && nowMs >= state.seekAtMs) {
    member.send(member.seekFrame());
    state.seekAtMs = seeksAgain(state) ? nowMs + timing.wantEveryMs : null;
  }
  if (state.way === "multicast") say(member, state, nowMs);
  findWay(member.config, state, nowMs);
  if (doubt(member, state, nowMs)) return;
  repair(member, state, nowMs);
}

/** Until its representative knows it; once nothing is left to be multicast, it would only hold up the end. */
const seeksAgain = ({ leader, returnedAtMs }: PeerState): boolean =>
  leader.known !== "announce" ||
  leader.audience === 0 ||
  (returnedAtMs !== null && leader.castCount < leader.frontCount);

function say(member: Member, state: PeerState, nowMs: number): void {
  const { device, lanPort, lacksOf } = member.config;
  const { term, pass } = state.leader;
  // A straggler would be repaired at everybody's cost: it completes from its peers after the end.
  if (state.loss.straggles) return;
  for (const entries of state.feedback.take(nowMs, lacksOf))
    member.send({ type: "need", device, term, pass, entries, lanPort });
}

/** Gives the representative up when it is silent on every way that should reach it. */
function doubt(member: Member, state: PeerState, nowMs: number): boolean {
  if (member.usesWan) {
    askFallback(member, nowMs);
    return false;
  }
  const { leader } = state;
  if (leader.known === "claim") {
    if (nowMs < state.joinedAtMs + timing.claimantSilentMs) return false;
    becomeCandidate(member, nowMs, `claimant ${leader.device} was never heard again`);
    return true;
  }
  const announces = leader.known === "announce" && state.wayReason !== "switched-off";
  if (announces && nowMs >= state.suspicion.suspectsAtMs) {
    member.suspect = leader.device;
    member.holders.forget(leader.device);
    member.roster.forget(leader.device);
    becomeCandidate(
      member,
      nowMs,
      `representative ${leader.device} has been silent for ${timing.suspicionPeriods} announcements`,
    );
    return true;
  }
  if (announces && state.way === "multicast" && !leaderIsWrong(member, state)) return false;
  if (nowMs < state.answeredAtMs + timing.unreachableMs) return false;
  member.fallbackAtMs ??= state.answeredAtMs + timing.fallbackMs * (1 + member.config.random());
  if (mayUseWan(member, nowMs)) {
    askFallback(member, nowMs);
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

/** Before it is given up, a silent representative is asked by unicast. */
const doubtsSilence = ({ leader, suspicion }: PeerState, nowMs: number): boolean =>
  leader.known === "announce" && nowMs >= suspicion.suspectsAtMs - timing.announceEveryMs;

/** After the end, or where multicast does not work: what is missing is asked of the others. */
function repair(member: Member, state: PeerState, nowMs: number): void {
  const isOnUnicast = takesByUnicast(state);
  if (isOnUnicast || (state.entrusted && nowMs >= state.entrusted.untilMs)) state.entrusted = null;
  member.fetch(isOnUnicast || state.entrusted !== null || doubtsSilence(state, nowMs));
  if (!isOnUnicast || nowMs < state.wantAtMs) return;
  member.ask(nowMs);
  state.wantAtMs = nowMs + timing.wantEveryMs * (1 + member.config.random() * 0.5);
}

export function wakePeerMs(state: PeerState, nowMs: number): number {
  const isSilentAtMs =
    state.leader.known === "claim"
      ? state.joinedAtMs + timing.claimantSilentMs
      : state.leader.known === "announce" && state.way === "multicast"
        ? state.suspicion.suspectsAtMs - (doubtsSilence(state, nowMs) ? 0 : timing.announceEveryMs)
        : nowMs + timing.pollEveryMs;
  // What is due already was not called for: the package is complete, or comes another way.
  const dueMs = [isSilentAtMs, state.seekAtMs, state.feedback.dueAtMs].filter(
    (atMs) => atMs !== null && atMs > nowMs,
  );
  return Math.min(nowMs + timing.announceEveryMs, ...(dueMs as number[]));
}
