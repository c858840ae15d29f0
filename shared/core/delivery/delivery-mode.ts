/**
 * Delivery mode of a peer: multicast, unless the peer finds that multicast does not reach it. It
 * judges by the frames and symbols it receives and by what the representative announces, and
 * assumes nothing about the network. It returns to multicast as soon as that works. The fetches
 * themselves are decided in peer.ts.
 */
import { assert } from "../../model/assert.ts";
import type { Transitions } from "../../model/transitions.ts";
import { checkedBy } from "../../model/transitions.ts";
import { phases } from "../../wire/frames.ts";
import type { MemberConfig } from "../config.ts";
import type { Leader } from "../election/leader.ts";
import { stuckMs, timing } from "../timing.ts";

/**
 * Why a peer takes chunks by unicast.
 * - `switched-off`: the setting disables multicast
 * - `wireless`: the interface is a radio
 * - `unheard`: nothing of the lease's holder is received
 * - `fell-silent`: the representative is no longer received, but answers polls
 * - `no-data`: announcements are received, symbols are not
 * - `oversized`: the same, because this interface does not carry symbols of the announced size
 * - `not-heard`: the representative does not receive this device
 * - `stuck`: everything was multicast, and repairs complete no chunk here
 */
export type UnicastReason =
  "switched-off" | "wireless" | "unheard" | "fell-silent" | "no-data" | "oversized" | "not-heard" | "stuck";

export type DeliveryMode =
  | { readonly kind: "multicast" }
  /** Multicast after a return from unicast; no symbol has arrived since. */
  | { readonly kind: "probing"; readonly sinceMs: number }
  /** `retryAtMs`: time at which multicast is tried again. */
  | { readonly kind: "unicast"; readonly reason: UnicastReason; readonly retryAtMs: number };

export const deliveryTransitions = {
  multicast: ["probing", "unicast"],
  probing: ["multicast", "probing", "unicast"],
  unicast: ["multicast", "probing", "unicast"],
} as const satisfies Transitions<DeliveryMode["kind"]>;

const nextMode = checkedBy<DeliveryMode>("delivery mode", deliveryTransitions);

/** The delivery mode of a peer, and the observations by which it changes. */
export type Delivery = {
  mode: DeliveryMode;
  /** Attempts to return to multicast after `no-data` and `stuck`. */
  retries: number;
  /** Time of the last symbol; null: none. */
  symbolsAtMs: number | null;
  announcedAtMs: number;
  /**
   * Since when the representative has announced sent chunks while no symbol arrived; null: not the
   * case.
   */
  dataMissingSinceMs: number | null;
  /** Since when the representative has announced an audience of 0 although this device listens. */
  unseenByLeaderSinceMs: number | null;
};

export const newDelivery = (nowMs: number): Delivery => ({
  mode: { kind: "multicast" },
  retries: 0,
  symbolsAtMs: null,
  announcedAtMs: nowMs,
  dataMissingSinceMs: null,
  unseenByLeaderSinceMs: null,
});

/** Parts of a peer's state that decide the mode, and that a change of the mode changes. */
type ModeState = {
  readonly delivery: Delivery;
  readonly leader: Leader;
  readonly followedAtMs: number;
  seekAtMs: number | null;
  progressAtMs: number;
  answeredAtMs: number;
};
/** Parts of a member's configuration that decide the mode. */
type ModeInputs = Pick<MemberConfig, "held" | "setting"> & {
  /** Whether symbols of the announced size exceed what the interface carries. */
  readonly isOversized: boolean;
};

/** Reasons that no received frame or symbol refutes. */
const isAdministrative = (reason: UnicastReason): boolean =>
  reason === "switched-off" || reason === "wireless";
/** Reasons after which multicast is tried again, with an exponential back-off. */
const isRetried = (reason: UnicastReason): boolean =>
  reason === "no-data" || reason === "oversized" || reason === "stuck";
/** Reasons that an announcement of the representative refutes. */
const isSilence = (reason: UnicastReason): boolean => reason === "unheard" || reason === "fell-silent";

export function updateDeliveryMode(config: ModeInputs, state: ModeState, nowMs: number): void {
  const { useMulticast, receivesMulticast } = config.setting();
  if (!useMulticast) return switchToUnicast(state, "switched-off", nowMs);
  if (!receivesMulticast) return switchToUnicast(state, "wireless", nowMs);
  const { leader, delivery } = state;
  const { mode } = delivery;
  if (mode.kind === "unicast") {
    const fitsNow = mode.reason === "oversized" && !config.isOversized;
    if (isAdministrative(mode.reason) || fitsNow || nowMs >= mode.retryAtMs) switchToMulticast(state, nowMs);
    return;
  }
  if (leader.known === "lease" && nowMs >= state.followedAtMs + timing.unheardMs)
    return switchToUnicast(state, "unheard", nowMs);
  if (isSince(delivery.unseenByLeaderSinceMs, timing.dataMissingMs, nowMs))
    return switchToUnicast(state, "not-heard", nowMs);
  if (
    isSince(delivery.dataMissingSinceMs, timing.dataMissingMs, nowMs) ||
    isProbeFruitless(config, state, nowMs) ||
    isHeldUp(config, state, nowMs)
  )
    return switchToUnicast(state, config.isOversized ? "oversized" : "no-data", nowMs);
  if (isStuck(config, state, nowMs)) switchToUnicast(state, "stuck", nowMs);
}

const isSince = (sinceMs: number | null, forMs: number, nowMs: number): boolean =>
  sinceMs !== null && nowMs >= sinceMs + forMs;

/** The representative holds more than the probing peer, and no symbol arrives. */
const isProbeFruitless = (config: ModeInputs, { delivery, leader }: ModeState, nowMs: number): boolean =>
  delivery.mode.kind === "probing" &&
  nowMs >= Math.max(delivery.mode.sinceMs, leader.announced.startsAtMs) + timing.unreachableMs &&
  leader.announced.frontCount > config.held.count;

/**
 * The representative multicasts, holds a chunk that is missing here, and no symbol arrives: its
 * system refuses them, for example. It announces no sent chunks that would show that.
 */
const isHeldUp = (
  config: ModeInputs,
  { delivery, leader, progressAtMs }: ModeState,
  nowMs: number,
): boolean =>
  leader.announced.phase === phases.casting &&
  leader.announced.frontCount > config.held.nextMissing(0) &&
  nowMs >= Math.max(delivery.symbolsAtMs ?? 0, progressAtMs) + stuckMs(leader.announced.rateBps);

/** Everything was multicast, repairs continue, and none completes a chunk here. */
const isStuck = (config: ModeInputs, { leader, progressAtMs }: ModeState, nowMs: number): boolean =>
  leader.announced.phase === phases.casting &&
  leader.announced.castCount >= config.held.size &&
  nowMs >= progressAtMs + stuckMs(leader.announced.rateBps);

function switchToUnicast(state: ModeState, reason: UnicastReason, nowMs: number): void {
  const { delivery } = state;
  const { mode } = delivery;
  if (mode.kind === "unicast" && mode.reason === reason) return;
  // The exchange has to answer from this switch on.
  if (mode.kind !== "unicast") state.answeredAtMs = nowMs;
  state.seekAtMs = null;
  const retryAtMs = isRetried(reason)
    ? nowMs + timing.multicastRetryMs * 2 ** delivery.retries++
    : Number.POSITIVE_INFINITY;
  delivery.mode = nextMode(mode, { kind: "unicast", reason, retryAtMs });
}

/** Switches to multicast. The SEEK tells the representative to multicast for this device too. */
export function switchToMulticast(state: ModeState, nowMs: number): void {
  const { delivery } = state;
  delivery.mode = nextMode(delivery.mode, { kind: "probing", sinceMs: nowMs });
  delivery.dataMissingSinceMs = null;
  delivery.unseenByLeaderSinceMs = null;
  state.seekAtMs = nowMs;
  state.progressAtMs = nowMs;
}

/**
 * Whether to hold back unicast fetches: the representative fell silent before its multicast began,
 * and answers polls. Nothing is missed yet, and the multicast may well be received. By unicast the
 * package would cross the LAN once more.
 */
export const awaitsStart = (
  { delivery: { mode }, leader }: Pick<ModeState, "delivery" | "leader">,
  nowMs: number,
): boolean =>
  mode.kind === "unicast" &&
  mode.reason === "fell-silent" &&
  nowMs < leader.announced.startsAtMs + timing.announceEveryMs;

/** Why chunks come by unicast; empty: they do not. */
export const unicastReasonOf = ({ mode }: Delivery): UnicastReason | "" =>
  mode.kind === "unicast" ? mode.reason : "";

export function onSymbols(state: ModeState, nowMs: number): void {
  const { delivery } = state;
  delivery.symbolsAtMs = nowMs;
  delivery.dataMissingSinceMs = null;
  const { mode } = delivery;
  if (mode.kind === "unicast" && (isAdministrative(mode.reason) || mode.reason === "stuck")) return;
  if (mode.kind === "unicast") switchToMulticast(state, nowMs);
  // Symbols arrive: the probe has succeeded.
  if (delivery.mode.kind === "probing") delivery.mode = nextMode(delivery.mode, { kind: "multicast" });
}

/** Judges an announcement; `state.leader` still holds the one before. */
export function onAnnouncement(state: ModeState, leader: Leader, nowMs: number): void {
  assert(leader.known === "announce", "an announcement is judged that is none");
  const { leader: before, delivery } = state;
  const { symbolsAtMs, announcedAtMs, mode } = delivery;
  if (mode.kind === "unicast" && isSilence(mode.reason)) switchToMulticast(state, nowMs);
  const { castCount, phase, audience } = leader.announced;
  // Only two announcements of one leader show that symbols were sent in between.
  const isSameLeader = before.known === "announce" && before.device === leader.device;
  if (isSameLeader && castCount > before.announced.castCount && (symbolsAtMs ?? 0) < announcedAtMs)
    delivery.dataMissingSinceMs ??= announcedAtMs;
  if (phase !== phases.casting) delivery.dataMissingSinceMs = null;
  delivery.unseenByLeaderSinceMs =
    audience > 0 || phase === phases.serving ? null : (delivery.unseenByLeaderSinceMs ?? nowMs);
  delivery.announcedAtMs = nowMs;
}

/** The representative is no longer received, but answers a poll that it leads. */
export function onAnswerDespiteSilence(state: ModeState, nowMs: number): void {
  state.leader.known = "exchange";
  const { mode } = state.delivery;
  if (mode.kind !== "unicast" || !isAdministrative(mode.reason)) switchToUnicast(state, "fell-silent", nowMs);
}
