/**
 * Peer: follows its representative, sends NACKs after every END, and suspects a silent
 * representative. It switches to unicast where multicast does not reach it, and fetches from
 * holders what is missing after the end. The delivery mode is decided in delivery/delivery-mode.ts.
 * docs/PROTOCOL.md, "Peer", has the rules.
 */
import { assert } from "../model/assert.ts";
import { becomeCandidate, becomeIdle, noteElection } from "./transitions.ts";
import { claimantOf, leaderOf, type Leader } from "./election/leader.ts";
import { chunkSetOf, type Member } from "./member.ts";
import type { MemberConfig } from "./config.ts";
import { takesByUnicast, type PeerState } from "./state.ts";
import type { MemberEvent, Sender } from "./events.ts";
import { DelayMeter } from "./rate/delay-meter.ts";
import { LossMeter } from "./rate/loss-meter.ts";
import { type ControlFrame, type FrameOf } from "../wire/frames.ts";
import { controlFrameMaxBytes, limits } from "../wire/index.ts";
import { ChunkSet, type Ranges } from "../model/chunk-set.ts";
import { requestFallback, onFallbackAnswer, mayUseWan } from "./delivery/wan-fallback.ts";
import { lostChunksMax, reportersMax, timing } from "./timing.ts";
import {
  onAnnouncement,
  onAnswerDespiteSilence,
  updateDeliveryMode,
  onSymbols,
  switchToMulticast,
  unicastReasonOf,
} from "./delivery/delivery-mode.ts";

export function stepPeer(member: Member, state: PeerState, event: MemberEvent, nowMs: number): void {
  switch (event.type) {
    case "FrameReceived":
      return onFrame(member, state, event.frame, event.from, nowMs);
    case "SymbolsReceived":
      state.reception.loss.received(event.count);
      state.failureDetector.onActivity(nowMs);
      if (!isLeaderUntrusted(member, state)) markServed(member, state, nowMs);
      return onSymbols(state, nowMs);
    case "ExchangeAnswered":
      if (event.ok && event.device === state.leader.device) onPollAnswer(member, state, event.leads, nowMs);
      return;
    case "BadChunkReceived":
      return member.onBadChunk(event.device);
    case "ChunkVerified":
      state.progressAtMs = nowMs;
      if (!member.isDownloading) markServed(member, state, nowMs);
      return;
    case "LeaseAnswered":
      // Late answer to an earlier candidacy: a peer must not keep the lease.
      if (event.answer.result === "granted") member.effects.push({ do: "ReleaseLease", failure: null });
      return;
    case "Stalled":
      state.failureDetector.creditStall(nowMs, event.stalledMs);
      state.answeredAtMs = nowMs;
      return;
    case "FallbackAnswered":
      return onFallbackAnswer(member, event.answer, nowMs);
    case "DownloadEnded":
      member.onDownloadEnded();
      // The next download waits for `unreachableMs`, after a failure for `fallbackMs` again.
      state.answeredAtMs = nowMs;
      if (event.failure !== null) member.fallback.fromMs = null;
      return;
    case "PackageVerified":
      member.send(member.seekFrame());
      return becomeIdle(member, nowMs, "the package is complete", null);
    default:
  }
}

/** Handles an answer of the representative's LAN exchange to a poll. */
function onPollAnswer(member: Member, state: PeerState, leads: number, nowMs: number): void {
  const { leader } = state;
  if (isLeaderUntrusted(member, state)) return;
  const mayLead = leader.known === "lease" || leader.known === "exchange";
  if (leads === 0 && mayLead && member.nextDownloadRun(nowMs)) {
    return becomeCandidate(member, nowMs, `representative ${leader.device} no longer leads`);
  }
  markServed(member, state, nowMs);
  if (leads > 0 && isLeaderSilent(state, nowMs)) onAnswerDespiteSilence(state, nowMs);
}

/** Notes that the subnet serves this device, which therefore needs no download of its own. */
function markServed(member: Member, state: PeerState, nowMs: number): void {
  state.answeredAtMs = nowMs;
  member.fallback.fromMs = null;
  member.setDownloading(false);
}

const isLeaderUntrusted = (member: Member, { leader }: PeerState): boolean =>
  member.session.untrustedDevices.has(leader.device);

function onFrame(member: Member, state: PeerState, frame: ControlFrame, from: Sender, nowMs: number): void {
  const isFromLeader = frame.device === state.leader.device && isCurrentSender(state, from, nowMs);
  switch (frame.type) {
    case "announce":
      if (
        (isFromLeader && frame.term >= state.leader.term) ||
        isBetter(frame.term, frame.ticket, state.leader)
      )
        followAnnouncement(member, state, leaderOf(frame, from, nowMs), nowMs);
      return;
    case "claim":
      return onClaim(member, state, frame, from, nowMs);
    case "end":
      if (!isFromLeader || frame.term !== state.leader.term) return;
      // A restarted representative has a new sender id; its next announcement makes it current.
      if (from.sender === state.leader.sender) state.failureDetector.onAnnouncement(nowMs);
      else state.failureDetector.onActivity(nowMs);
      // A gap in the numbers of the passes shows that an END was lost.
      if (frame.pass > state.leader.announced.pass + 1) reconstructEnd(member, state, nowMs);
      state.leader.announced.pass = Math.max(state.leader.announced.pass, frame.pass);
      reportReception(member, state, frame, nowMs);
      return onEnd(member, state, frame.castRanges, nowMs);
    case "entrust":
      if (!isFromLeader || frame.term !== state.leader.term || frame.toDevice !== member.config.device)
        return;
      return acceptStandbyChunks(member, state, frame, from, nowMs);
    case "need":
      if (frame.symbolSizeBytes === symbolSizeOf(state)) state.nacks.onPeerNack(frame.entries);
      return;
    case "ask":
      if (!isFromLeader || frame.toDevice !== member.config.device || !usesMulticast(state)) return;
      state.seekAtMs = Math.min(
        state.seekAtMs ?? Number.POSITIVE_INFINITY,
        nowMs + member.config.random() * timing.feedbackDelayMsMax,
      );
      return;
    case "resign":
      if (!isFromLeader || frame.term < state.leader.term || member.isDone) return;
      return becomeCandidate(member, nowMs, `representative ${frame.device} resigned: ${frame.reason}`);
    default:
  }
}

/**
 * Returns false for a frame that another sender sent in the representative's name. After a long
 * silence the representative may have restarted under a new sender id; symbols that still arrive
 * may be from the new incarnation.
 */
const isCurrentSender = (
  { leader, failureDetector }: PeerState,
  { sender }: Sender,
  nowMs: number,
): boolean =>
  leader.sender === sender || leader.known !== "announce" || nowMs >= failureDetector.acceptsNewSenderAtMs;

const isLeaderFresh = ({ leader, failureDetector }: PeerState, nowMs: number): boolean =>
  leader.known === "announce" && nowMs < failureDetector.suspectsAtMs - timing.announceEveryMs;

/** Makes this device the standby: it fetches the named chunks at once. */
function acceptStandbyChunks(
  member: Member,
  state: PeerState,
  frame: FrameOf<"entrust">,
  from: Sender,
  nowMs: number,
): void {
  const chunks = chunkSetOf(member.config.held.size, frame.ranges);
  const { device, lanPort } = state.leader;
  if (!chunks || takesByUnicast(state)) return;
  member.holders.update({ device, address: from.address, lanPort }, chunks, 0);
  state.standbyChunks = { chunks, untilMs: nowMs + timing.standbyChunksMs };
  member.refetch();
}

function onEnd(member: Member, state: PeerState, castRanges: Ranges, nowMs: number): void {
  const { size } = member.config.held;
  const named = castRanges.length > 0 ? chunkSetOf(size, castRanges) : chunksKnownSent(member, state);
  if (!named) return;
  member.session.sentEarlier.addAll(named);
  state.nacks.onEnd(named, nowMs, state.leader.announced.audience, member.config.random());
}

/**
 * Missing chunks to ask for after a flush: those with at least one symbol, and those that an END
 * named. When few others are missing (`lostChunksMax`), they were lost together with their END and
 * are added. When many are missing, they were sent before this device listened.
 */
function chunksKnownSent({ session, config }: Member, { nacks }: PeerState): ChunkSet {
  const known = session.sentEarlier.clone();
  known.deleteAll(config.held);
  addStarted(known, config, null);
  const missing = config.held.complement();
  const isLost = !nacks.joinsLate && missing.count - known.count <= lostChunksMax(missing.size);
  return isLost ? missing : known;
}

/** Adds the missing chunks of which at least one symbol was received. */
function addStarted(to: ChunkSet, { held, missingSymbols }: MemberConfig, except: number | null): void {
  for (let chunk = held.nextMissing(0); chunk >= 0; chunk = held.nextMissing(chunk + 1))
    if (chunk !== except && missingSymbols(chunk, () => undefined)) to.add(chunk);
}

/**
 * Reconstructs what a lost END named: every incomplete chunk with at least one symbol. Chunks lost
 * as a whole can be derived only while chunks go out in order: those between the last known one and
 * `castCount`.
 */
function reconstructEnd({ session, config }: Member, { nacks, leader }: PeerState, nowMs: number): void {
  const { held, random } = config;
  const { castCount, audience } = leader.announced;
  const first = session.sentEarlier.end;
  const count = Math.min(castCount, held.size) - first;
  const named = (count > 0 ? chunkSetOf(held.size, [first, count]) : null) ?? new ChunkSet(held.size);
  // The chunk in transmission belongs to the next END, unless everything was sent once.
  const current = castCount < held.size ? config.currentChunk() : null;
  addStarted(named, config, current);
  nacks.onEnd(named, nowMs, audience, random());
}

/**
 * Sends a receiver report for a pass: loss and queuing delay. A random sample of about
 * `reportersMax` receivers is enough for a median, whatever the audience.
 */
function reportReception(member: Member, state: PeerState, frame: FrameOf<"end">, nowMs: number): void {
  const { reception } = state;
  const lossPermille = reception.loss.onEnd(frame.symbolsSent);
  const queuedMs = reception.delay.onEnd(frame.sentAtMs, nowMs);
  const { device, random } = member.config;
  const chance = reportersMax / Math.max(1, state.leader.announced.audience);
  if (lossPermille === null || nowMs < reception.reportFromMs) return;
  reception.reportFromMs = nowMs + timing.reportEveryMs;
  if (random() < chance)
    member.send({ type: "report", device, term: frame.term, pass: frame.pass, lossPermille, queuedMs });
}

const isBetter = (term: number, ticket: number, leader: Leader): boolean =>
  term > leader.term || (term === leader.term && (leader.known !== "announce" || ticket < leader.ticket));

/**
 * Ignores a claim while the representative still announces: only the claimant does not receive the
 * announcements. Otherwise follows a better claim.
 */
function onClaim(
  member: Member,
  state: PeerState,
  frame: Extract<ControlFrame, { type: "claim" }>,
  from: Sender,
  nowMs: number,
): void {
  if (!isBetter(frame.term, frame.ticket, state.leader)) return;
  if (isLeaderFresh(state, nowMs)) return;
  member.term = Math.max(member.term, frame.term - 1);
  state.leader = claimantOf(frame, from);
  state.followedAtMs = nowMs;
}

function followAnnouncement(member: Member, state: PeerState, leader: Leader, nowMs: number): void {
  assert(leader.known === "announce", "a leader is followed that did not announce itself");
  const before = state.leader;
  const size = member.config.held.size;
  member.term = Math.max(member.term, leader.term);
  noteElection(member, leader, nowMs);
  // This device polled the silent representative, which now counts it as a unicast receiver. The
  // SEEK of the switch corrects that.
  if (usesMulticast(state) && isLeaderSilent(state, nowMs)) switchToMulticast(state, nowMs);
  onAnnouncement(state, leader, nowMs);
  if (!isSameIncarnation(before, leader)) {
    // A new incarnation knows no peers yet and counts its symbols from 0.
    state.seekAtMs = nowMs + member.config.random() * timing.feedbackDelayMsMax * 2;
    Object.assign(state.reception, { loss: new LossMeter(), delay: new DelayMeter() });
  }
  state.leader = leader;
  state.failureDetector.onAnnouncement(nowMs);
  if (state.delivery.mode.kind === "multicast" && !isLeaderUntrusted(member, state))
    member.fallback.fromMs = null;
  const { announced } = leader;
  const isSameLeader = leader.device === before.device;
  if (!isSameLeader || announced.castCount > before.announced.castCount) state.progressAtMs = nowMs;
  // The announcement names a later pass: the END of that pass was lost.
  if (isSameLeader && announced.pass > before.announced.pass) reconstructEnd(member, state, nowMs);
  if (announced.frontCount === size) member.holders.update(leader, ChunkSet.full(size), 50);
}

/**
 * Compares incarnations by their tickets. A representative may restart before its failure is
 * noticed; it then announces the same term with another ticket.
 */
const isSameIncarnation = (before: Leader, leader: Leader): boolean =>
  before.device === leader.device &&
  before.term === leader.term &&
  (before.ticket === leader.ticket || before.known !== "announce");

export function tickPeer(member: Member, state: PeerState, nowMs: number): void {
  assert(member.state === state, "a peer is ticked in another role");
  if (member.isDone) return;
  if (usesMulticast(state) && isOversized(member, state)) state.seekAtMs ??= nowMs;
  if (state.seekAtMs !== null && nowMs >= state.seekAtMs) {
    member.send(member.seekFrame());
    state.seekAtMs = repeatsSeek(member, state) ? nowMs + timing.wantEveryMs : null;
  }
  if (usesMulticast(state)) sendNacks(member, state, nowMs);
  const { held, setting } = member.config;
  updateDeliveryMode({ held, setting, isOversized: isOversized(member, state) }, state, nowMs);
  if (unicastReasonOf(state.delivery) === "no-data" && triesUsualSymbols(member, state))
    switchToMulticast(state, nowMs);
  if (checkLiveness(member, state, nowMs)) return;
  fetchMissing(member, state, nowMs);
}

/**
 * Repeats SEEK until the representative knows this device. Once nothing is left to multicast, a
 * SEEK would only delay the end.
 */
const repeatsSeek = (member: Member, state: PeerState): boolean =>
  isOversized(member, state) || isUnknownToLeader(state);

/**
 * Announcements arrive, symbols above the usual size do not: a switch on the way carries no jumbo
 * frames. States the usual size from now on. @returns false if this was tried already
 */
function triesUsualSymbols({ session }: Member, { leader }: PeerState): boolean {
  const { symbolSizeBytes } = leader.announced;
  if (Math.min(symbolSizeBytes, session.symbolPassesBytes) <= limits.symbolUsualBytes) return false;
  session.symbolPassesBytes = limits.symbolUsualBytes;
  return true;
}

/** Whether symbols of the announced size do not arrive here: the representative has to be told. */
const isOversized = ({ symbolMaxBytes }: Member, { leader }: PeerState): boolean =>
  leader.announced.symbolSizeBytes > symbolMaxBytes;

const isUnknownToLeader = ({ leader: { known, announced }, delivery }: PeerState): boolean =>
  known !== "announce" ||
  announced.audience === 0 ||
  (delivery.mode.kind === "probing" && announced.castCount < announced.frontCount);

const usesMulticast = ({ delivery }: PeerState): boolean => delivery.mode.kind !== "unicast";

function sendNacks(member: Member, state: PeerState, nowMs: number): void {
  const { device, lanPort, missingSymbols } = member.config;
  const { term, announced } = state.leader;
  const { pass } = announced;
  // Repairs for a straggler would cost all receivers; it completes from holders after the end.
  if (state.reception.loss.straggles) return;
  const symbolSizeBytes = symbolSizeOf(state);
  const frameBytes = controlFrameMaxBytes(symbolSizeBytes);
  for (const entries of state.nacks.takeDue(nowMs, missingSymbols, frameBytes))
    member.send({ type: "need", device, term, pass, entries, lanPort, symbolSizeBytes });
}

/** Size of the symbols that this device counts. Nothing arrives before a size was announced. */
const symbolSizeOf = ({ leader }: PeerState): number =>
  leader.announced.symbolSizeBytes || limits.symbolUsualBytes;

/**
 * Gives the representative up when none of the paths that should work shows a sign of it. Returns
 * whether the role changed.
 */
function checkLiveness(member: Member, state: PeerState, nowMs: number): boolean {
  if (member.isDownloading) {
    requestFallback(member, nowMs);
    return false;
  }
  const { leader } = state;
  if (leader.known === "claim") {
    if (nowMs < state.followedAtMs + timing.claimantSilentMs) return false;
    becomeCandidate(member, nowMs, `claimant ${leader.device} sent no announcement`);
    return true;
  }
  const announces = leader.known === "announce" && unicastReasonOf(state.delivery) !== "switched-off";
  if (announces && nowMs >= state.failureDetector.suspectsAtMs) {
    member.session.failedLeader = leader.device;
    member.holders.forget(leader.device);
    member.roster.forget(leader.device);
    becomeCandidate(
      member,
      nowMs,
      `received nothing from representative ${leader.device} for ${timing.silentPeriodsMax} announcement periods`,
    );
    return true;
  }
  if (announces && usesMulticast(state) && !isLeaderUntrusted(member, state)) return false;
  if (nowMs < state.answeredAtMs + timing.unreachableMs) return false;
  member.fallback.fromMs ??= state.answeredAtMs + timing.fallbackMs * (1 + member.config.random());
  if (mayUseWan(member, nowMs)) {
    requestFallback(member, nowMs);
    return false;
  }
  // The representative runs and leads; only its bytes do not arrive. An election would not help.
  if (announces) return false;
  member.session.failedLeader = leader.device;
  becomeCandidate(
    member,
    nowMs,
    `representative ${leader.device} does not answer at ${leader.address}:${leader.lanPort}`,
  );
  return true;
}

/** Whether to poll the representative: one announcement period before it is suspected. */
const isLeaderSilent = ({ leader, failureDetector }: PeerState, nowMs: number): boolean =>
  leader.known === "announce" && nowMs >= failureDetector.suspectsAtMs - timing.announceEveryMs;

/** Fetches missing chunks from holders: after the end, or where multicast does not work. */
function fetchMissing(member: Member, state: PeerState, nowMs: number): void {
  const isOnUnicast = takesByUnicast(state);
  if (isOnUnicast || (state.standbyChunks && nowMs >= state.standbyChunks.untilMs))
    state.standbyChunks = null;
  member.setFetching(isOnUnicast || state.standbyChunks !== null || isLeaderSilent(state, nowMs));
  if (!isOnUnicast || nowMs < state.wantAtMs) return;
  member.sendWant(nowMs);
  state.wantAtMs = nowMs + timing.wantEveryMs * (1 + member.config.random() * 0.5);
}

export function wakePeerMs(state: PeerState, nowMs: number): number {
  const isSilentAtMs =
    state.leader.known === "claim"
      ? state.followedAtMs + timing.claimantSilentMs
      : state.leader.known === "announce" && usesMulticast(state)
        ? state.failureDetector.suspectsAtMs - (isLeaderSilent(state, nowMs) ? 0 : timing.announceEveryMs)
        : nowMs + timing.pollEveryMs;
  // Timers already due were deliberately not acted on: the package is complete or comes by unicast.
  // They must not wake this member again.
  const dueMs = [isSilentAtMs, state.seekAtMs, state.nacks.dueAtMs].filter(
    (atMs) => atMs !== null && atMs > nowMs,
  );
  return Math.min(nowMs + timing.announceEveryMs, ...(dueMs as number[]));
}
