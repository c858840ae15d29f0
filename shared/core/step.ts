/**
 * Entry point of the core: `step` takes one event, changes the member and returns every effect as
 * data. The caller carries the effects out before the next event. Nothing here waits or does I/O.
 */
import { assert } from "../model/assert.ts";
import { becomeCandidate, becomeIdle, becomePeer, resign } from "./transitions.ts";
import { stepCandidate, tickCandidate, wakeCandidateMs } from "./candidate.ts";
import { stepPeer, tickPeer, wakePeerMs } from "./peer.ts";
import { stepRepresentative, tickRepresentative, wakeRepresentativeMs } from "./representative.ts";
import { leaderOf } from "./election/leader.ts";
import { chunkSetOf, type Member } from "./member.ts";
import { obeyGuard } from "./guarded-roles.ts";
import type { Effect, MemberEvent, Sender } from "./events.ts";
import type { ControlFrame, FrameOf } from "../wire/frames.ts";

/** Rounding of a clock that runs too fast or too slow. */
const clockSlackMs = 1;

/**
 * Handles one event at `nowMs` (monotonic milliseconds) and returns its effects in order.
 * @throws BugError on an illegal change of state
 */
export function step(member: Member, event: MemberEvent, nowMs: number): Effect[] {
  assert(nowMs >= member.steppedAtMs - clockSlackMs, "the clock of a member went back");
  member.steppedAtMs = nowMs;
  member.effects = [];
  if (event.type === "PackageVerified") member.verified.isPackage = true;
  if (event.type === "FrameReceived" || event.type === "SymbolsReceived")
    member.lastReceived.frameAtMs = nowMs;
  if (event.type === "ChunkVerified") member.verified.chunksAtMs.set(event.chunk, nowMs);
  if (event.type === "FrameReceived") learnFromFrame(member, event.frame, event.from, nowMs);
  if (event.type === "PeerPolled") learnFromPoll(member, event, nowMs);
  dispatch(member, event, nowMs);
  tick(member, nowMs);
  assertConsistent(member);
  return member.effects;
}

/** Invariants after every step: transfers belong to a role, and counts are consistent. */
function assertConsistent(member: Member): void {
  const { state, isFetching, isDownloading } = member;
  assert(state.role !== "idle" || !(isFetching || isDownloading), "an idle device transfers");
  if (state.role !== "representative") return;
  assert(state.term <= member.term, "a representative leads a term above the highest one");
  assert(state.pass.symbolsEnded <= state.stream.symbolsSent, "a pass ended with symbols that were not sent");
}

/** Latest time at which `TimerFired` is due; infinity: not before another event. */
export function wakeAtMs(member: Member, nowMs: number): number {
  const { state } = member;
  switch (state.role) {
    case "idle":
      return state.retryAtMs === null || member.isDone ? Number.POSITIVE_INFINITY : state.retryAtMs;
    case "candidate":
      return wakeCandidateMs(state);
    case "peer":
      return wakePeerMs(state, nowMs);
    case "representative":
      return wakeRepresentativeMs(member, state, nowMs);
  }
}

function dispatch(member: Member, event: MemberEvent, nowMs: number): void {
  const { state } = member;
  if (event.type === "Stopped") {
    if (state.role === "representative") resign(member, state.term, event.reason);
    // The representative must not multicast for this device any more.
    else if (state.role !== "idle") member.send(member.seekFrame([]));
    return becomeIdle(member, nowMs, event.reason, null);
  }
  switch (state.role) {
    case "idle":
      if (event.type === "Started") return becomeCandidate(member, nowMs, "the task began");
      if (event.type === "DownloadEnded") return member.onDownloadEnded();
      if (event.type === "FrameReceived" && event.frame.type === "ask")
        return onAskWhileIdle(member, event.frame);
      // The lease was requested before this member became idle.
      if (event.type === "LeaseAnswered" && event.answer.result === "granted")
        return void member.effects.push({ do: "ReleaseLease", failure: null });
      // A device that failed as representative still follows another one.
      if (event.type === "FrameReceived" && event.frame.type === "announce" && state.retryAtMs !== null) {
        becomePeer(
          member,
          nowMs,
          leaderOf(event.frame, event.from, nowMs),
          `received an announcement of representative ${event.frame.device}`,
        );
      }
      return;
    case "candidate":
      return stepCandidate(member, state, event, nowMs);
    case "peer":
      return stepPeer(member, state, event, nowMs);
    case "representative":
      return stepRepresentative(member, state, event, nowMs);
  }
}

/** A representative asks when the SEEK was lost with which this device became idle. */
function onAskWhileIdle(member: Member, { toDevice }: FrameOf<"ask">): void {
  if (toDevice === member.config.device) member.send(member.seekFrame([]));
}

function tick(member: Member, nowMs: number): void {
  obeyGuard(member, nowMs);
  const { state } = member;
  switch (state.role) {
    case "idle":
      if (state.retryAtMs !== null && nowMs >= state.retryAtMs && !member.isDone)
        becomeCandidate(member, nowMs, "tries again");
      return;
    case "candidate":
      return tickCandidate(member, state, nowMs);
    case "peer":
      return tickPeer(member, state, nowMs);
    case "representative":
      return tickRepresentative(member, state, nowMs);
  }
}

/** Load in percent assumed for a holder that did not state one. */
const loadUnknown = 50;

type Polled = Extract<MemberEvent, { type: "PeerPolled" }>;

/** Counts a polling device as a unicast receiver, unless it states that multicast reaches it. */
function learnFromPoll(member: Member, { peer, heldRanges, listens }: Polled, nowMs: number): void {
  const held = chunkSetOf(member.config.held.size, heldRanges);
  if (!held) return;
  member.holders.update(peer, held, loadUnknown, true);
  if (held.isFull) member.roster.forget(peer.device);
  else
    member.roster.update({
      ...peer,
      missing: held.complement(),
      receivedAtMs: nowMs,
      delivery: listens ? "multicast" : "unicast",
    });
}

/**
 * Notes what a frame states about other devices in every role: presence, missing chunks, chunks
 * held.
 */
function learnFromFrame(member: Member, frame: ControlFrame, from: Sender, nowMs: number): void {
  const size = member.config.held.size;
  member.roster.noteActive(frame.device, nowMs);
  switch (frame.type) {
    case "seek": {
      const missing = chunkSetOf(size, frame.missing);
      if (!missing) return;
      const held = missing.complement();
      const holder = { device: frame.device, address: from.address, lanPort: frame.lanPort };
      if (!held.isEmpty && held.count <= frame.haveCount) member.holders.update(holder, held, loadUnknown);
      if (missing.isEmpty) member.roster.forget(frame.device);
      else {
        const { symbolMaxBytes } = frame;
        const entry = { ...holder, missing, receivedAtMs: nowMs, symbolMaxBytes };
        member.roster.update({ ...entry, delivery: "multicast" });
      }
      return;
    }
    case "have": {
      const chunks = chunkSetOf(size, frame.ranges);
      const holder = { device: frame.device, address: from.address, lanPort: frame.lanPort };
      if (chunks) member.holders.update(holder, chunks, frame.load);
      return;
    }
    case "want":
      member.lastReceived.wantAtMs = nowMs;
      return;
    default:
  }
}
