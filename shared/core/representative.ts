/**
 * Representative: renews its lease, fetches what the subnet holds, downloads the rest, and
 * multicasts behind the download once the start delay is over. It answers NACKs, ends the session
 * when no device asks any more, and steps down for a better representative. Decides only;
 * shared/device moves the bytes. docs/PROTOCOL.md, "Representative", has the rules.
 */
import { startEarly } from "./early-start.ts";
import { assert } from "../model/assert.ts";
import { leaseDurationMs } from "../model/lease.ts";
import { becomeIdle, failSession, resign, stepDown } from "./transitions.ts";
import { nextPhase } from "./phase.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { holderAsLeader, leaderOf } from "./election/leader.ts";
import type { Member } from "./member.ts";
import type { RepresentativeState } from "./state.ts";
import type { LeaseAnswer, MemberEvent, Sender } from "./events.ts";
import type { ControlFrame, FrameOf } from "../wire/frames.ts";
import { controlFrameMaxBytes, itemsWithin, limits, phases, wholeChunks } from "../wire/index.ts";
import { fitSymbols } from "./symbol-size.ts";
import { needWindowMs, timing } from "./timing.ts";

const endFramesMax = 4;
/** Two numbers of 32 bits in msgpack. */
const rangeBytesMax = 10;
/**
 * Repair symbols per block in addition to those asked for, once only repairs are left. A lost
 * repair symbol would then cost another round for which the whole session waits.
 */
const tailExtraSymbols = 1;

export function stepRepresentative(
  member: Member,
  state: RepresentativeState,
  event: MemberEvent,
  nowMs: number,
): void {
  switch (event.type) {
    case "FrameReceived":
      return onFrame(member, state, event.frame, event.from, nowMs);
    case "LeaseAnswered":
      return onLeaseAnswer(member, state, event.answer, nowMs);
    case "ChunkVerified":
      state.busyAtMs = nowMs;
      member.effects.push({ do: "WakeSender" });
      return;
    case "DownloadEnded":
      member.onDownloadEnded();
      if (event.failure === null) return;
      resign(member, state.term, event.failure, event.failure);
      return failSession(member, event.failure, timing.failedCooldownMs, nowMs);
    case "ExchangeAnswered":
      if (event.device === state.copies.previousHolder?.device) state.copies.previousHolder = null;
      return;
    case "Stalled":
      return member.roster.creditStall(event.stalledMs);
    case "PeerPolled":
      if (isNewsOf(member, event.peer.device, nowMs)) state.busyAtMs = nowMs;
      return;
    default:
  }
}

/**
 * Whether the device is new, or misses more or less than before. Only a device that makes progress
 * keeps the session open. A stuck device, for example one that distrusts this representative, must
 * be free to find another one.
 */
const isNewsOf = (member: Member, device: string, nowMs: number): boolean =>
  member.roster.get(device)?.changedAtMs === nowMs;

function onFrame(
  member: Member,
  state: RepresentativeState,
  frame: ControlFrame,
  from: Sender,
  nowMs: number,
): void {
  switch (frame.type) {
    case "seek":
      state.due.announceAtMs = Math.min(
        state.due.announceAtMs,
        nowMs + member.config.random() * timing.answerDelayMsMax,
      );
      if (frame.missing.length === 0) return;
      if (isNewsOf(member, frame.device, nowMs)) state.busyAtMs = nowMs;
      fitSymbols(member, state, nowMs);
      if (state.phase.kind === "serving") addLatecomerLosses(state, frame.device, frame.missing, nowMs);
      member.effects.push({ do: "WakeSender" });
      return;
    case "claim":
      state.due.announceAtMs = nowMs;
      return;
    case "need":
      askUnknown(member, state, frame.device);
      return state.repair.nacks.add(frame.device, knownPass(state, frame), entriesOf(state, frame), nowMs);
    case "report":
      askUnknown(member, state, frame.device);
      if (frame.term === state.term) state.stream.rate.onReport(frame.device, frame, frame.pass);
      return;
    case "announce": {
      if (frame.device === member.config.device) return;
      const isOtherBetter =
        frame.term > state.term || (frame.term === state.term && frame.ticket < state.ticket);
      if (!isOtherBetter) {
        state.due.announceAtMs = nowMs;
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

/** Asks a device that sends NACKs or reports although it was forgotten: its SEEK follows. */
function askUnknown(member: Member, state: RepresentativeState, device: string): void {
  if (!member.roster.get(device)) ask(member, state, device);
}

const ask = (member: Member, { term }: RepresentativeState, toDevice: string): void =>
  member.send({ type: "ask", device: member.config.device, term, toDevice });

/** Entries of a NACK; whole chunks if it counts symbols of another size than is sent now. */
function entriesOf({ stream }: RepresentativeState, frame: FrameOf<"need">): readonly number[] {
  const { entries, symbolSizeBytes } = frame;
  if (symbolSizeBytes === stream.symbolSizeBytes) return entries;
  const whole: number[] = [];
  for (let i = 0; i + 2 < entries.length; i += 3) {
    const [chunk, block, count] = [entries[i]!, entries[i + 1]!, entries[i + 2]!];
    if (block === wholeChunks) whole.push(chunk, block, count);
    else if (whole.at(-3) !== chunk) whole.push(chunk, wholeChunks, 1);
  }
  return whole;
}

/**
 * Last pass whose END the sender of a NACK received. Passes of another term do not compare with
 * those of this term; such a NACK counts as up to date.
 */
const knownPass = (state: RepresentativeState, { term, pass }: FrameOf<"need">): number =>
  term === state.term ? pass : state.pass.number;

/**
 * Treats the missing chunks of a latecomer as NACKs after the end. Chunks that several latecomers
 * miss are retransmitted; a chunk that one misses is left to unicast.
 */
function addLatecomerLosses(
  state: RepresentativeState,
  device: string,
  missing: readonly number[],
  nowMs: number,
): void {
  for (let i = 0; i + 1 < missing.length; i += 2)
    state.repair.nacks.add(device, state.pass.number, [missing[i]!, wholeChunks, missing[i + 1]!], nowMs);
}

function onLeaseAnswer(member: Member, state: RepresentativeState, answer: LeaseAnswer, nowMs: number): void {
  if (answer.result === "granted") {
    state.lease.untilMs = nowMs + leaseDurationMs;
    member.session.present = answer.present ?? null;
  }
  if (answer.result === "refused") {
    const leader = holderAsLeader(answer.holder, nowMs);
    return stepDown(member, nowMs, leader, `the lease is held by ${leader.device}`);
  }
  if (answer.result === "failed") failSession(member, answer.reason, answer.retryAfterMs, nowMs);
}

export function tickRepresentative(member: Member, state: RepresentativeState, nowMs: number): void {
  assert(member.state === state, "a representative is ticked in another role");
  const { due, stream } = state;
  if (member.symbolMaxBytes < stream.symbolSizeBytes) fitSymbols(member, state, nowMs);
  callRoll(member, state, nowMs);
  startEarly(member, state, nowMs);
  if (nowMs >= due.leaseAtMs) {
    due.leaseAtMs = nowMs + timing.leaseRenewMs;
    const starting = nowMs < state.sendFromMs;
    member.effects.push({ do: "RequestLease", term: state.term, query: false, starting });
  }
  fetchOrDownload(member, state, nowMs);
  replicate(member, state, nowMs);
  answerNacks(member, state, nowMs);
  retransmitSingleLosses(member, state, nowMs);
  stream.rate.adjust(member.config.setting().lanRateBps, nowMs, state.pass.number);
  sendEnd(member, state, nowMs);
  sendFlush(member, state, nowMs);
  if (nowMs >= state.sendFromMs && member.hasToSend()) member.effects.push({ do: "WakeSender" });
  if (finishSession(member, state, nowMs)) return;
  if (nowMs < due.announceAtMs) return;
  due.announceAtMs = nowMs + timing.announceEveryMs;
  member.send(announceFrame(member, state, nowMs));
}

/** Asks silent devices whether they are still there, while there is a multicast for them. */
function callRoll(member: Member, state: RepresentativeState, nowMs: number): void {
  if (state.phase.kind !== "casting" || !member.config.setting().useMulticast) return;
  for (const device of state.rollCall.next(member.roster, nowMs)) ask(member, state, device);
}

/** Fetches what the subnet holds, and downloads the rest from the web site. */
function fetchOrDownload(member: Member, state: RepresentativeState, nowMs: number): void {
  if (member.isDone) {
    member.setFetching(false);
    return;
  }
  const { due, copies, electedAtMs } = state;
  if (nowMs >= due.wantAtMs) {
    member.sendWant(nowMs);
    due.wantAtMs = nowMs + timing.wantEveryMs;
  }
  member.setFetching(member.holders.count > 0 || copies.previousHolder !== null);
  if (isLeaseDoubtful(member, state, nowMs)) return member.setDownloading(false);
  const isAsking = copies.previousHolder !== null && nowMs < electedAtMs + timing.unheardMs;
  if (nowMs >= due.downloadFromMs && !isAsking && member.nextDownloadRun(nowMs)) member.setDownloading(true);
}

/**
 * Whether another device may hold the lease: it has run out because the source is silent, and no
 * device follows that would know. The download then waits as long as one for a WAN fallback.
 */
function isLeaseDoubtful(member: Member, { lease }: RepresentativeState, nowMs: number): boolean {
  const { untilMs } = lease;
  if (untilMs === null || nowMs < untilMs || member.roster.audience > 0) {
    lease.aloneFromMs = null;
    return false;
  }
  lease.aloneFromMs ??= nowMs + timing.fallbackMs * (1 + member.config.random());
  return nowMs < lease.aloneFromMs || member.config.setting().wanFallback === "never";
}

/**
 * Entrusts sole copies to a standby: chunks that no other device holds and that the multicast does
 * not deliver soon. After a failover they would cross the WAN again.
 */
function replicate(member: Member, state: RepresentativeState, nowMs: number): void {
  const { useMulticast, useDeputy } = member.config.setting();
  if (!useMulticast || !useDeputy) return;
  const { roster, holders, verified, config } = member;
  const isBeforeStart = nowMs < state.sendFromMs;
  // A multicast slower than the WAN is not held up; second copies would only slow it down.
  if (!isBeforeStart && nowMs > state.stream.caughtUpAtMs + timing.heldUpMs) return;
  const untilMs = isBeforeStart ? nowMs : nowMs - timing.sendLagMs;
  const isSoleCopy = (chunk: number): boolean =>
    config.held.has(chunk) &&
    !state.stream.queue.wasSent(chunk) &&
    (verified.chunksAtMs.get(chunk) ?? nowMs + 1) <= untilMs;
  const entrusted = state.copies.replication.next({ roster, holders, isSoleCopy }, nowMs);
  if (entrusted) member.send({ type: "entrust", device: config.device, term: state.term, ...entrusted });
}

function answerNacks(member: Member, state: RepresentativeState, nowMs: number): void {
  const { nacks, singleLosses } = state.repair;
  const { firstAtMs } = nacks;
  if (firstAtMs === null || nowMs < firstAtMs + needWindowMs(member.roster.audience)) return;
  const answer = nacks.takeRepairs();
  if (answer.repairs.size > 0 || answer.retransmit.length > 0) state.busyAtMs = nowMs;
  state.stream.queue.addRepairs(answer, isTail(member, state) ? tailExtraSymbols : 0);
  singleLosses.forget(answer.retransmit);
  // After the end, a latecomer fetches by unicast what it alone misses.
  if (state.phase.kind !== "serving") singleLosses.add(answer.missedByOne);
  member.effects.push({ do: "WakeSender" });
}

function retransmitSingleLosses(member: Member, state: RepresentativeState, nowMs: number): void {
  const { singleLosses } = state.repair;
  if (!singleLosses.hasChanged || !isTail(member, state)) return;
  const chunks = singleLosses.takeRetransmits();
  if (chunks.length === 0) return;
  state.busyAtMs = nowMs;
  state.stream.queue.retransmit(chunks);
  member.effects.push({ do: "WakeSender" });
}

/** Whether everything was sent once, so that only repairs are left. */
const isTail = (member: Member, state: RepresentativeState): boolean =>
  member.isDone && !state.stream.queue.hasUnsent((chunk) => member.roster.hasListenerMissing(chunk));

function sendEnd(member: Member, state: RepresentativeState, nowMs: number): void {
  const { stream, pass, repair } = state;
  const { queue, rate, symbolsSent } = stream;
  if (!queue.hasUnreported || nowMs < endAtMs(member, state)) return;
  state.busyAtMs = nowMs;
  Object.assign(pass, { number: pass.number + 1, endedAtMs: nowMs, symbolsEnded: symbolsSent, flushes: 0 });
  // Receivers do not report a pass with few symbols; its END must not count as unanswered.
  if (queue.isSending && member.roster.audience > 0)
    rate.onEndSent(pass.number, measuredSendBps(member, state, nowMs));
  const rangesMax = itemsWithin(
    controlFrameMaxBytes(stream.symbolSizeBytes),
    rangeBytesMax,
    limits.rangesMax,
  );
  for (let frames = 0; frames < endFramesMax && queue.hasUnreported; frames++) {
    const castRanges = [...queue.takeUnreported(rangesMax)];
    assert(castRanges.length > 0, "an END names nothing");
    repair.inFlight.onEnd(ChunkSet.fromRanges(member.config.held.size, castRanges)!, pass.number);
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
  pass: state.pass.number,
  castRanges,
  symbolsSent: state.stream.symbolsSent % (limits.counterMax + 1),
  sentAtMs: Math.floor(nowMs) % (limits.counterMax + 1),
});

/**
 * Sends a flush (an END without ranges) when everything was sent and no NACK is open. The flush
 * reaches receivers whose last END or NACK was lost.
 */
function sendFlush(member: Member, state: RepresentativeState, nowMs: number): void {
  if (nowMs < flushAtMs(member, state)) return;
  state.pass.endedAtMs = nowMs;
  state.pass.flushes++;
  state.pass.number++;
  member.send(endFrame(member, state, [], nowMs));
}

function flushAtMs(member: Member, state: RepresentativeState): number {
  const { phase, stream, repair, pass } = state;
  const isQuiet = stream.queue.isQuiet && repair.nacks.firstAtMs === null;
  const isOver = phase.kind === "casting" && isQuiet && isTail(member, state);
  const audience = isOver ? member.roster.audience : 0;
  if (audience === 0) return Number.POSITIVE_INFINITY;
  // The answers to one flush arrive before the next is sent. From the third flush on the interval
  // doubles: a peer that misses too much for repairs asks in vain each time.
  return pass.endedAtMs + needWindowMs(audience) * 2 ** Math.max(0, pass.flushes - 1);
}

/**
 * Measured payload bits per second, multiplied by the number of sessions that share this device;
 * null unless the session sends continuously.
 */
function measuredSendBps({ config }: Member, { stream }: RepresentativeState, nowMs: number): number | null {
  const perSecond = stream.meter.perSecond(nowMs);
  return perSecond === null ? null : perSecond * stream.symbolSizeBytes * 8 * config.sendShares();
}

/**
 * Time of the next END. The END comes soon when nothing waits to be sent, because receivers with
 * losses then wait for it.
 */
function endAtMs(member: Member, state: RepresentativeState): number {
  const { queue, symbolsSent, symbolSizeBytes } = state.stream;
  const { endedAtMs, symbolsEnded } = state.pass;
  const passSymbols = (symbolsSent - symbolsEnded) * Math.max(1, symbolSizeBytes / limits.symbolUsualBytes);
  if (!queue.isSending) return endedAtMs + (member.isDone ? timing.endLastMs : timing.endPausedMs);
  const isPassFull = passSymbols >= timing.endEverySymbols;
  // The answers to one END arrive before the next is sent.
  if (isPassFull) return endedAtMs + Math.min(timing.endEveryMs, needWindowMs(member.roster.audience));
  const isPassShort = passSymbols < timing.endFewSymbols;
  return endedAtMs + (isPassShort ? timing.endSeldomMs : timing.endEveryMs);
}

/**
 * Enters phase `serving` when everything was sent and no device asked for `quietMs`. Ends the
 * session after `serveMs` more without a request (`quietMs` without an audience). Returns whether
 * the session ended.
 */
function finishSession(member: Member, state: RepresentativeState, nowMs: number): boolean {
  if (!member.isDone) return false;
  const { useMulticast } = member.config.setting();
  // With multicast switched off, what waits to be sent is never sent.
  const isSent = !useMulticast || (state.stream.queue.isQuiet && !member.hasToSend());
  const isQuiet = isSent && state.repair.nacks.firstAtMs === null && nowMs >= state.busyAtMs + timing.quietMs;
  if (state.phase.kind !== "serving") {
    const mayEnd = nowMs >= state.sendFromMs || member.roster.audience === 0 || !useMulticast;
    if (!isQuiet || !mayEnd) return false;
    state.phase = nextPhase(state.phase, { kind: "serving", sinceMs: nowMs });
    state.due.announceAtMs = nowMs;
  }
  const lastMs = Math.max(state.phase.kind === "serving" ? state.phase.sinceMs : nowMs, state.busyAtMs);
  const lingerMs = member.roster.audience === 0 ? timing.quietMs : timing.serveMs;
  if (nowMs < lastMs + lingerMs) return false;
  member.send(announceFrame(member, state, nowMs));
  resign(member, state.term, "done");
  becomeIdle(member, nowMs, "the session ended", null);
  return true;
}

function announceFrame(member: Member, state: RepresentativeState, nowMs: number): ControlFrame {
  const { device, held, lanPort, setting } = member.config;
  const gapAt = held.nextMissing(0);
  assert(state.stream.queue.sentCount <= held.size, "more chunks were sent than the package has");
  return {
    type: "announce",
    device,
    term: state.term,
    ticket: state.ticket,
    phase: phases[state.phase.kind],
    startsInMs: Math.min(limits.startsInMaxMs, Math.max(0, Math.ceil(state.sendFromMs - nowMs))),
    frontCount: gapAt < 0 ? held.size : gapAt,
    castCount: state.stream.queue.sentCount,
    pass: state.pass.number,
    audience: member.roster.audience,
    symbolSizeBytes: state.stream.symbolSizeBytes,
    rateBps: state.stream.rate.rateBps(setting().lanRateBps),
    lanPort,
  };
}

export function wakeRepresentativeMs(member: Member, state: RepresentativeState, nowMs: number): number {
  const never = Number.POSITIVE_INFINITY;
  const { firstAtMs } = state.repair.nacks;
  const nacksAtMs = firstAtMs === null ? never : firstAtMs + needWindowMs(member.roster.audience);
  const endDueAtMs = state.stream.queue.hasUnreported ? Math.max(endAtMs(member, state), nowMs) : never;
  const { announceAtMs, leaseAtMs, downloadFromMs } = state.due;
  return Math.min(
    announceAtMs,
    leaseAtMs,
    nacksAtMs,
    endDueAtMs,
    Math.max(flushAtMs(member, state), nowMs),
    nowMs < state.sendFromMs ? state.sendFromMs : never,
    nowMs < downloadFromMs ? downloadFromMs : never,
    nowMs + timing.endEveryMs / 2,
  );
}
