/**
 * How a representative thinks: it keeps its lease, takes from the subnet what the subnet already has and the rest
 * from the web site, multicasts behind the front of the download once the start delay passed, answers needs, ends
 * the session when nobody asks any more, and steps down for a better one.
 */
import { becomeIdle, stepDown } from "./transitions.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { holderAsLeader, leaderOf } from "./candidate.ts";
import type { Member } from "./member.ts";
import type { RepresentativeState } from "./state.ts";
import type { LeaseAnswer, MemberEvent, Sender } from "./events.ts";
import type { ControlFrame, FrameOf } from "../wire/frames.ts";
import { limits, phases, wholeChunks } from "../wire/index.ts";
import { needWindowMs, timing } from "./timing.ts";

const endFramesMax = 4;
/** More than was asked for, when a lost repair symbol would cost another round that everybody waits for. */
const tailExtraSymbols = 1;

export function stepRepresentative(
  member: Member,
  state: RepresentativeState,
  event: MemberEvent,
  nowMs: number,
): void {
  switch (event.type) {
    case "FrameHeard":
      return hear(member, state, event.frame, event.from, nowMs);
    case "LeaseAnswered":
      return leaseAnswered(member, event.answer, nowMs);
    case "ChunkVerified":
      state.busyAtMs = nowMs;
      member.effects.push({ do: "Cast" });
      return;
    case "WanEnded":
      member.wanEnded();
      if (event.failure !== null) giveUp(member, state, event.failure, nowMs);
      return;
    case "ExchangeAnswered":
      if (event.device === state.before?.device) state.before = null;
      return;
    case "PeerPolled":
      // One that gets no further is not helped by this representative: another one may know better.
      if (member.roster.get(event.peer.device)?.changedAtMs === nowMs) state.busyAtMs = nowMs;
      return;
    default:
  }
}

function hear(
  member: Member,
  state: RepresentativeState,
  frame: ControlFrame,
  from: Sender,
  nowMs: number,
): void {
  switch (frame.type) {
    case "seek":
      state.announceAtMs = Math.min(
        state.announceAtMs,
        nowMs + member.config.random() * timing.answerDelayMsMax,
      );
      if (frame.missing.length === 0) return;
      state.busyAtMs = nowMs;
      if (state.phase === "serving") noteLatecomer(state, frame.device, frame.missing, nowMs);
      member.effects.push({ do: "Cast" });
      return;
    case "claim":
      state.announceAtMs = nowMs;
      return;
    case "need":
      return state.needs.note(frame.device, knownPass(state, frame), frame.entries, nowMs);
    case "report":
      if (frame.term === state.term) state.rate.reported(frame.device, frame, frame.pass);
      return;
    case "announce": {
      if (frame.device === member.config.device) return;
      const otherStands =
        frame.term > state.term || (frame.term === state.term && frame.ticket < state.ticket);
      if (!otherStands) {
        state.announceAtMs = nowMs;
        return;
      }
      member.effects.push({ do: "ReleaseLease", failure: null });
      return stepDown(
        member,
        nowMs,
        leaderOf(frame, from, nowMs),
        `steps down for ${frame.device} of term ${frame.term}`,
      );
    }
    default:
  }
}

/** Passes of another term say nothing about this one's. */
const knownPass = (state: RepresentativeState, { term, pass }: FrameOf<"need">): number =>
  term === state.term ? pass : state.pass;

/** After the end: what several latecomers miss is sent again, one alone takes it by unicast. */
function noteLatecomer(
  state: RepresentativeState,
  device: string,
  missing: readonly number[],
  nowMs: number,
): void {
  for (let i = 0; i + 1 < missing.length; i += 2)
    state.needs.note(device, state.pass, [missing[i]!, wholeChunks, missing[i + 1]!], nowMs);
}

function leaseAnswered(member: Member, answer: LeaseAnswer, nowMs: number): void {
  if (answer.result === "refused") {
    const leader = holderAsLeader(answer.holder, nowMs);
    return stepDown(member, nowMs, leader, `the lease went to ${leader.device}`);
  }
  if (answer.result === "failed") {
    member.effects.push({ do: "Failed", reason: answer.reason, retryAfterMs: answer.retryAfterMs });
    return becomeIdle(member, nowMs, answer.reason, nowMs + answer.retryAfterMs);
  }
}

function giveUp(member: Member, state: RepresentativeState, reason: string, nowMs: number): void {
  const { device } = member.config;
  member.send({ type: "resign", device, term: state.term, reason: reason.slice(0, 200) });
  member.effects.push({ do: "ReleaseLease", failure: reason });
  member.effects.push({ do: "Failed", reason, retryAfterMs: timing.failedCooldownMs });
  becomeIdle(member, nowMs, reason, nowMs + timing.failedCooldownMs);
}

export function tickRepresentative(member: Member, state: RepresentativeState, nowMs: number): void {
  if (nowMs >= state.leaseAtMs) {
    state.leaseAtMs = nowMs + timing.leaseRenewMs;
    member.effects.push({ do: "AskLease", term: state.term, query: false });
  }
  obtain(member, state, nowMs);
  entrust(member, state, nowMs);
  answerNeeds(member, state, nowMs);
  sendLone(member, state, nowMs);
  state.rate.adjust(member.config.setting().lanRateBps, nowMs, state.pass);
  sayEnd(member, state, nowMs);
  callRoll(member, state, nowMs);
  if (nowMs >= state.castFromMs && member.hasCast()) member.effects.push({ do: "Cast" });
  if (finish(member, state, nowMs)) return;
  if (nowMs < state.announceAtMs) return;
  state.announceAtMs = nowMs + timing.announceEveryMs;
  member.send(announceFrame(member, state, nowMs));
}

/** What the subnet holds comes from the subnet, the rest from the web site. */
function obtain(member: Member, state: RepresentativeState, nowMs: number): void {
  if (member.isDone) {
    member.fetch(false);
    return;
  }
  if (nowMs >= state.wantAtMs) {
    member.ask(nowMs);
    state.wantAtMs = nowMs + timing.wantEveryMs;
  }
  member.fetch(member.holders.count > 0 || state.before !== null);
  const isAsking = state.before !== null && nowMs < state.electedAtMs + timing.unheardMs;
  if (nowMs >= state.wanFromMs && !isAsking && member.nextWanRun(nowMs)) member.wan(true);
}

/** What only this device holds and the multicast does not bring soon is given to a deputy: it would cross the WAN again if this device fell. */
function entrust(member: Member, state: RepresentativeState, nowMs: number): void {
  const { useMulticast, useDeputy } = member.config.setting();
  if (!useMulticast || !useDeputy) return;
  const { roster, holders, gainedAtMs, config } = member;
  const isBefore = nowMs < state.castFromMs;
  // A multicast that is slower than the WAN is not held up: a second copy would only slow it down.
  if (!isBefore && nowMs > state.caughtUpAtMs + timing.heldUpMs) return;
  const untilMs = isBefore ? nowMs : nowMs - timing.castLagMs;
  const isAlone = (chunk: number): boolean =>
    config.held.has(chunk) && !state.plan.isCast(chunk) && (gainedAtMs.get(chunk) ?? nowMs + 1) <= untilMs;
  const handed = state.entrusting.next({ roster, holders, isAlone }, nowMs);
  if (handed) member.send({ type: "entrust", device: config.device, term: state.term, ...handed });
}

function answerNeeds(member: Member, state: RepresentativeState, nowMs: number): void {
  const firstAtMs = state.needs.firstAtMs;
  if (firstAtMs === null || nowMs < firstAtMs + needWindowMs(member.roster.audience)) return;
  const answer = state.needs.answer();
  if (answer.repairs.size > 0 || answer.recast.length > 0) state.busyAtMs = nowMs;
  state.plan.answer(answer, isTail(member, state) ? tailExtraSymbols : 0);
  state.lone.forget(answer.recast);
  // Latecomers take by unicast what they miss alone.
  if (state.phase !== "serving") state.lone.note(answer.alone);
  member.effects.push({ do: "Cast" });
}

function sendLone(member: Member, state: RepresentativeState, nowMs: number): void {
  if (!state.lone.hasNews || !isTail(member, state)) return;
  const chunks = state.lone.take();
  if (chunks.length === 0) return;
  state.busyAtMs = nowMs;
  state.plan.castAgain(chunks);
  member.effects.push({ do: "Cast" });
}

/** Everything was sent once: only repairs are left. */
const isTail = (member: Member, state: RepresentativeState): boolean =>
  member.isDone && !state.plan.hasUnsent((chunk) => member.roster.listensFor(chunk));

function sayEnd(member: Member, state: RepresentativeState, nowMs: number): void {
  if (!state.plan.hasUnended || nowMs < endDueMs(member, state)) return;
  state.endedAtMs = nowMs;
  state.symbolsEnded = state.symbolsSent;
  state.rollCalls = 0;
  state.busyAtMs = nowMs;
  state.pass++;
  // While little was sent there is nothing to report.
  if (state.plan.isSending && member.roster.audience > 0)
    state.rate.asked(state.pass, sentBps(member, state, nowMs));
  for (let frames = 0; frames < endFramesMax && state.plan.hasUnended; frames++) {
    const castRanges = [...state.plan.takeUnended(limits.rangesMax)];
    state.outstanding.ended(ChunkSet.fromRanges(member.config.held.size, castRanges)!, state.pass);
    member.send(endFrame(member, state, castRanges, nowMs));
  }
}

const endFrame = (
  member: Member,
  state: RepresentativeState,
  castRanges: number[],
  nowMs: number,
): ControlFrame => ({
  type: "end",
  device: member.config.device,
  term: state.term,
  pass: state.pass,
  castRanges,
  symbolsSent: state.symbolsSent % (limits.counterMax + 1),
  sentAtMs: Math.floor(nowMs) % (limits.counterMax + 1),
});

/** Nothing is left to be sent and nobody asks: an END that names no chunk asks whether somebody's END or NEED was lost. */
function callRoll(member: Member, state: RepresentativeState, nowMs: number): void {
  if (nowMs < rollCallAtMs(member, state)) return;
  state.endedAtMs = nowMs;
  state.rollCalls++;
  state.pass++;
  member.send(endFrame(member, state, [], nowMs));
}

function rollCallAtMs(member: Member, state: RepresentativeState): number {
  const { phase, plan, needs, endedAtMs, rollCalls } = state;
  const isOver = phase === "casting" && plan.isQuiet && needs.firstAtMs === null && isTail(member, state);
  const audience = isOver ? member.roster.audience : 0;
  if (audience === 0) return Number.POSITIVE_INFINITY;
  // The answers to one come before the next. Whoever asks in vain, as what it lacks is too much for repairs, asks seldom.
  return endedAtMs + needWindowMs(audience) * 2 ** Math.max(0, rollCalls - 1);
}

/** What this session would send at by itself, as far as its device keeps up; null while it does not send all the time. */
function sentBps({ config }: Member, { sending }: RepresentativeState, nowMs: number): number | null {
  const perSecond = sending.perSecond(nowMs);
  return perSecond === null ? null : perSecond * config.symbolSizeBytes * 8 * config.castShares();
}

/** Soon when nothing waits to be sent: then whoever lacks something waits for this END. */
function endDueMs(member: Member, state: RepresentativeState): number {
  const { plan, endedAtMs, symbolsSent, symbolsEnded } = state;
  if (!plan.isSending) return endedAtMs + (member.isDone ? timing.endLastMs : timing.endPausedMs);
  const isMuch = symbolsSent - symbolsEnded >= timing.endEverySymbols;
  // The answers to one END come before the next.
  if (isMuch) return endedAtMs + Math.min(timing.endEveryMs, needWindowMs(member.roster.audience));
  const isLittle = symbolsSent - symbolsEnded < timing.endFewSymbols;
  return endedAtMs + (isLittle ? timing.endSeldomMs : timing.endEveryMs);
}

/** Serving when all is sent and nobody asked for a while; gone when nobody came any more. */
function finish(member: Member, state: RepresentativeState, nowMs: number): boolean {
  if (!member.isDone) return false;
  const { useMulticast } = member.config.setting();
  // Switched off in the middle, what waits to be sent never will be.
  const isSent = !useMulticast || (state.plan.isQuiet && !member.hasCast());
  const isQuiet = isSent && state.needs.firstAtMs === null && nowMs >= state.busyAtMs + timing.quietMs;
  if (state.phase !== "serving") {
    const mayEnd = nowMs >= state.castFromMs || member.roster.audience === 0 || !useMulticast;
    if (!isQuiet || !mayEnd) return false;
    state.phase = "serving";
    state.servingSinceMs = nowMs;
    state.announceAtMs = nowMs;
  }
  const lastMs = Math.max(state.servingSinceMs ?? nowMs, state.busyAtMs);
  const lingerMs = member.roster.audience === 0 ? timing.quietMs : timing.serveMs;
  if (nowMs < lastMs + lingerMs) return false;
  const { device } = member.config;
  member.send(announceFrame(member, state, nowMs));
  member.send({ type: "resign", device, term: state.term, reason: "done" });
  member.effects.push({ do: "ReleaseLease", failure: null });
  becomeIdle(member, nowMs, "the session ended", null);
  return true;
}

function announceFrame(member: Member, state: RepresentativeState, nowMs: number): ControlFrame {
  const { device, held, lanPort, symbolSizeBytes, setting } = member.config;
  const gapAt = held.nextMissing(0);
  return {
    type: "announce",
    device,
    term: state.term,
    ticket: state.ticket,
    phase: phases[state.phase],
    startsInMs: Math.max(0, Math.ceil(state.castFromMs - nowMs)),
    frontCount: gapAt < 0 ? held.size : gapAt,
    castCount: state.plan.castCount,
    pass: state.pass,
    audience: member.roster.audience,
    symbolSizeBytes,
    rateBps: state.rate.rateBps(setting().lanRateBps),
    lanPort,
  };
}

export function wakeRepresentativeMs(member: Member, state: RepresentativeState, nowMs: number): number {
  const needsAtMs =
    state.needs.firstAtMs === null
      ? Number.POSITIVE_INFINITY
      : state.needs.firstAtMs + needWindowMs(member.roster.audience);
  const endAtMs = state.plan.hasUnended ? Math.max(endDueMs(member, state), nowMs) : Number.POSITIVE_INFINITY;
  const castAtMs = nowMs < state.castFromMs ? state.castFromMs : Number.POSITIVE_INFINITY;
  return Math.min(
    state.announceAtMs,
    state.leaseAtMs,
    needsAtMs,
    endAtMs,
    Math.max(rollCallAtMs(member, state), nowMs),
    castAtMs,
    nowMs + timing.endEveryMs / 2,
  );
}
