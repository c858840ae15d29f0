/**
 * `step(member, event, nowMs) → effects`: one event in, every effect out, then the next event. The only door through
 * which a member changes.
 */
import { becomeCandidate, becomeIdle, becomePeer } from "./transitions.ts";
import { leaderOf, stepCandidate, tickCandidate, wakeCandidateMs } from "./candidate.ts";
import { stepPeer, tickPeer, wakePeerMs } from "./peer.ts";
import { stepRepresentative, tickRepresentative, wakeRepresentativeMs } from "./representative.ts";
import { chunkSetOf, type Member } from "./member.ts";
import type { Effect, MemberEvent, Sender } from "./events.ts";
import type { ControlFrame } from "../wire/frames.ts";

export function step(member: Member, event: MemberEvent, nowMs: number): Effect[] {
  member.effects = [];
  if (event.type === "PackageVerified") member.isVerified = true;
  if (event.type === "FrameReceived" || event.type === "SymbolsReceived") member.lastFrameAtMs = nowMs;
  if (event.type === "ChunkVerified") member.verifiedAtMs.set(event.chunk, nowMs);
  if (event.type === "FrameReceived") learnFromFrame(member, event.frame, event.from, nowMs);
  if (event.type === "PeerPolled") learnFromPoll(member, event, nowMs);
  dispatch(member, event, nowMs);
  tick(member, nowMs);
  return member.effects;
}

/** When `TimerFired` is due at the latest. */
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
    return becomeIdle(member, nowMs, event.reason, null);
  }
  switch (state.role) {
    case "idle":
      if (event.type === "Started") return becomeCandidate(member, nowMs, "the task began");
      if (event.type === "DownloadEnded") return member.onDownloadEnded();
      // It was asked for before.
      if (event.type === "LeaseAnswered" && event.answer.result === "granted")
        return void member.effects.push({ do: "ReleaseLease", failure: null });
      // One that failed as representative still follows another that does better.
      if (event.type === "FrameReceived" && event.frame.type === "announce" && state.retryAtMs !== null) {
        becomePeer(
          member,
          nowMs,
          leaderOf(event.frame, event.from, nowMs),
          `heard representative ${event.frame.device}`,
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

function tick(member: Member, nowMs: number): void {
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

function resign(member: Member, term: number, reason: string): void {
  member.send({ type: "resign", device: member.config.device, term, reason: reason.slice(0, 200) });
  member.effects.push({ do: "ReleaseLease", failure: null });
}

/** Percent, of a holder that did not say. */
const loadUnknown = 50;

type Polled = Extract<MemberEvent, { type: "PeerPolled" }>;

/** A device that asks by unicast what this one holds takes chunks that way, unless it says that it listens. */
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

/** What every role learns from every frame: who is there, what they miss, what they hold. */
function learnFromFrame(member: Member, frame: ControlFrame, from: Sender, nowMs: number): void {
  const size = member.config.held.size;
  switch (frame.type) {
    case "seek": {
      const missing = chunkSetOf(size, frame.missing);
      if (!missing) return;
      const held = missing.complement();
      const holder = { device: frame.device, address: from.address, lanPort: frame.lanPort };
      if (!held.isEmpty && held.count <= frame.haveCount) member.holders.update(holder, held, loadUnknown);
      if (missing.isEmpty) member.roster.forget(frame.device);
      else member.roster.update({ ...holder, missing, receivedAtMs: nowMs, delivery: "multicast" });
      return;
    }
    case "have": {
      const chunks = chunkSetOf(size, frame.ranges);
      const holder = { device: frame.device, address: from.address, lanPort: frame.lanPort };
      if (chunks) member.holders.update(holder, chunks, frame.load);
      return;
    }
    case "want":
      member.lastWantAtMs = nowMs;
      return;
    default:
  }
}
