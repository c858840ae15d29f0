/**
 * Delivery mode of a peer: multicast, unless the peer finds that multicast does not reach it. It
 * judges by the frames and symbols it receives and by what the representative announces, and
 * assumes nothing about the network. It returns to multicast as soon as that works. The fetches
 * themselves are decided in peer.ts.
 */
import type { MemberConfig } from "../config.ts";
import type { Leader, PeerState, UnicastReason } from "../state.ts";
import { stuckMs, timing } from "../timing.ts";
import { phases } from "../../wire/frames.ts";

/** Reasons that no received frame or symbol refutes. */
const isAdministrative = (reason: UnicastReason): boolean =>
  reason === "switched-off" || reason === "wireless";
/** Reasons after which multicast is tried again, with an exponential back-off. */
const isRetried = (reason: UnicastReason): boolean => reason === "no-data" || reason === "stuck";
/** Reasons that an announcement of the representative refutes. */
const isSilence = (reason: UnicastReason): boolean => reason === "unheard" || reason === "fell-silent";

/** Parts of a member's configuration that decide the mode. */
type ModeInputs = Pick<MemberConfig, "held" | "setting">;

export function updateDeliveryMode(config: ModeInputs, state: PeerState, nowMs: number): void {
  const { useMulticast, receivesMulticast } = config.setting();
  if (!useMulticast) return switchToUnicast(state, "switched-off", nowMs);
  if (!receivesMulticast) return switchToUnicast(state, "wireless", nowMs);
  if (state.way === "unicast") {
    if (isAdministrative(state.wayReason) || nowMs >= state.retryAtMs) switchToMulticast(state, nowMs);
    return;
  }
  const { leader } = state;
  if (leader.known === "lease" && nowMs >= state.joinedAtMs + timing.unheardMs)
    return switchToUnicast(state, "unheard", nowMs);
  if (isSince(state.unseenByLeaderSinceMs, timing.dataMissingMs, nowMs))
    return switchToUnicast(state, "not-heard", nowMs);
  if (
    isSince(state.dataMissingSinceMs, timing.dataMissingMs, nowMs) ||
    isRetryFruitless(config, state, nowMs)
  )
    return switchToUnicast(state, "no-data", nowMs);
  if (isStuck(config, state, nowMs)) switchToUnicast(state, "stuck", nowMs);
}

const isSince = (sinceMs: number | null, forMs: number, nowMs: number): boolean =>
  sinceMs !== null && nowMs >= sinceMs + forMs;

/**
 * The peer returned from unicast, the representative holds more than the peer, and no symbol
 * arrives.
 */
const isRetryFruitless = (
  config: ModeInputs,
  { multicastRetriedAtMs, leader }: PeerState,
  nowMs: number,
): boolean =>
  multicastRetriedAtMs !== null &&
  nowMs >= Math.max(multicastRetriedAtMs, leader.startsAtMs) + timing.unreachableMs &&
  leader.frontCount > config.held.count;

/** Everything was multicast, repairs continue, and none completes a chunk here. */
const isStuck = (config: ModeInputs, { leader, progressAtMs }: PeerState, nowMs: number): boolean =>
  leader.phase === phases.casting &&
  leader.castCount >= config.held.size &&
  nowMs >= progressAtMs + stuckMs(leader.rateBps);

export function switchToUnicast(state: PeerState, reason: UnicastReason, nowMs: number): void {
  if (state.way === "unicast" && state.wayReason === reason) return;
  // The exchange has to answer from this switch on.
  if (state.way === "multicast") state.answeredAtMs = nowMs;
  state.way = "unicast";
  state.wayReason = reason;
  state.seekAtMs = null;
  state.multicastRetriedAtMs = null;
  state.retryAtMs = isRetried(reason)
    ? nowMs + timing.multicastRetryMs * 2 ** state.retries++
    : Number.POSITIVE_INFINITY;
}

/** Switches to multicast. The SEEK tells the representative to multicast for this device too. */
export function switchToMulticast(state: PeerState, nowMs: number): void {
  Object.assign(state, {
    way: "multicast",
    wayReason: "",
    seekAtMs: nowMs,
    multicastRetriedAtMs: nowMs,
    progressAtMs: nowMs,
    dataMissingSinceMs: null,
    unseenByLeaderSinceMs: null,
    retryAtMs: Number.POSITIVE_INFINITY,
  } satisfies Partial<PeerState>);
}

/**
 * Whether to hold back unicast fetches: the representative fell silent before its multicast began,
 * and answers polls. Nothing is missed yet, and the multicast may well be received. By unicast the
 * package would cross the LAN once more.
 */
export const awaitsStart = ({ way, wayReason, leader }: PeerState, nowMs: number): boolean =>
  way === "unicast" && wayReason === "fell-silent" && nowMs < leader.startsAtMs + timing.announceEveryMs;

export function onSymbols(state: PeerState, nowMs: number): void {
  state.symbolsAtMs = nowMs;
  state.dataMissingSinceMs = null;
  const { way, wayReason } = state;
  if (way === "unicast" && !isAdministrative(wayReason) && wayReason !== "stuck")
    switchToMulticast(state, nowMs);
  state.multicastRetriedAtMs = null;
}

/** Judges an announcement; `state.leader` still holds the one before. */
export function onAnnouncement(state: PeerState, leader: Leader, nowMs: number): void {
  const { leader: before, symbolsAtMs, announcedAtMs } = state;
  if (state.way === "unicast" && isSilence(state.wayReason)) switchToMulticast(state, nowMs);
  // Only two announcements of one leader show that symbols were sent in between.
  const isSameLeader = before.known === "announce" && before.device === leader.device;
  if (isSameLeader && leader.castCount > before.castCount && (symbolsAtMs ?? 0) < announcedAtMs)
    state.dataMissingSinceMs ??= announcedAtMs;
  if (leader.phase !== phases.casting) state.dataMissingSinceMs = null;
  state.unseenByLeaderSinceMs =
    leader.audience > 0 || leader.phase === phases.serving ? null : (state.unseenByLeaderSinceMs ?? nowMs);
  state.announcedAtMs = nowMs;
}

/** The representative is no longer received, but answers a poll that it leads. */
export function onAnswerDespiteSilence(state: PeerState, nowMs: number): void {
  state.leader.known = "exchange";
  if (!isAdministrative(state.wayReason)) switchToUnicast(state, "fell-silent", nowMs);
}
