/**
 * How a device got its package, in one phrase: "61 % multicast, 39 % from peers (joined late, …)".
 *
 * Multicast is the way that is meant for everybody; what a device took another way has a reason, and most of the reasons
 * are known only while the session runs. `WayBook` looks at the member whenever something changes and keeps them. Pure.
 */
import type { OriginBytes } from "../api/schema/common.ts";
import type { Member } from "../core/member.ts";
import { phases } from "../wire/index.ts";

/** What the book reads of a member. */
export type SeenMember = Pick<Member, "state" | "isDownloading"> & {
  readonly config: { readonly held: { readonly count: number; readonly size: number } };
};

export type WayNotes = {
  /** It led the session for a time. */
  hasLed: boolean;
  /** What had been multicast already when it first heard of the session, 0 … 1; null: nothing that it lacked. */
  joinedAtShare: number | null;
  joinedAfterEnd: boolean;
  /** Why it took chunks by unicast instead of listening; empty: it did not. */
  unicastReason: string;
  usedOwnDownload: boolean;
  /** It kept what only the representative held. */
  wasDeputy: boolean;
};

export class DeliveryLog {
  readonly notes: WayNotes = {
    hasLed: false,
    joinedAtShare: null,
    joinedAfterEnd: false,
    unicastReason: "",
    usedOwnDownload: false,
    wasDeputy: false,
  };
  #hasJoined = false;

  /** @param wayWords why it takes chunks by unicast just now */
  see({ state, isDownloading, config: { held } }: SeenMember, wayWords = ""): void {
    const { notes } = this;
    if (state.role === "representative") {
      notes.hasLed = true;
      this.#hasJoined = true;
    }
    if (state.role !== "peer") return;
    if (isDownloading) notes.usedOwnDownload = true;
    if (state.standbyChunks !== null) notes.wasDeputy = true;
    if (state.delivery.mode.kind === "unicast") notes.unicastReason = wayWords;
    // Whoever was here before a representative was replaced did not come late.
    if (this.#hasJoined) return;
    this.#hasJoined = true;
    const { castCount, phase } = state.leader.announced;
    if (castCount <= held.count) return;
    notes.joinedAtShare = castCount / Math.max(1, held.size);
    notes.joinedAfterEnd = phase === phases.serving;
  }
}

/** Why a listener that was there in time missed something. */
export type Losses = { readonly diskOverflow: number; readonly kernelDrops: number };

/** Empty when every byte came by multicast, or nothing is known. */
export function reasonForWay(from: OriginBytes, notes: WayNotes, losses: Losses): string {
  if (from.wan + from.peers === 0) return "";
  if (notes.hasLed) return from.wan > 0 ? "representative" : "other devices held it already";
  if (from.wan > 0) return notes.usedOwnDownload ? "no device of its subnet could be reached" : "";
  if (notes.unicastReason !== "") return notes.unicastReason;
  if (notes.joinedAfterEnd) return "joined after the multicast";
  if (notes.joinedAtShare !== null) {
    return `joined late, ${shareText(notes.joinedAtShare)} had been multicast`;
  }
  if (notes.wasDeputy) return "kept a second copy before the multicast began";
  if (losses.diskOverflow > 0) return "missed parts of the multicast: its disk was too slow";
  if (losses.kernelDrops > 0) return "missed parts of the multicast: its receive buffer was full";
  return "missed parts of the multicast";
}

const origins = [
  ["multicast", "multicast"],
  ["peers", "from peers"],
  ["wan", "over the WAN"],
  ["cache", "cached before"],
] as const satisfies readonly (readonly [keyof OriginBytes, string])[];

/** @param why in brackets, unless empty */
export function completionText(from: OriginBytes, totalBytes: number, why: string): string {
  const parts = origins
    .filter(([origin]) => from[origin] > 0)
    .map(([origin, words]) => `${shareText(from[origin] / Math.max(1, totalBytes))} ${words}`);
  if (parts.length === 0) return "complete";
  return `complete: ${parts.join(", ")}${why && ` (${why})`}`;
}

/** Never "0 %" of something, nor "100 %" of less than all. */
function shareText(share: number): string {
  if (share < 0.01) return "<1 %";
  return `${share >= 1 ? 100 : Math.min(99, Math.round(share * 100))} %`;
}
