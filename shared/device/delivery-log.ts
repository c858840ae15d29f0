/**
 * How a device got its package, in one phrase: "61 % multicast, 39 % from peers (joined late, …)".
 *
 * Bytes that did not come by multicast have a reason, and most reasons are known only while the
 * session runs. `DeliveryLog` observes the member at every change and keeps them. Pure.
 */
import type { OriginBytes } from "../api/schema/common.ts";
import type { Member } from "../core/member.ts";
import { phases } from "../wire/index.ts";

/** Parts of a member that the log reads. */
export type ObservedMember = Pick<Member, "state" | "isDownloading"> & {
  readonly config: { readonly held: { readonly count: number; readonly size: number } };
};

export type DeliveryNotes = {
  /** Whether the device was the representative. */
  hasLed: boolean;
  /**
   * Share of the package that was multicast before the device joined, 0 … 1; null: the device held
   * at least as many chunks.
   */
  joinedAtShare: number | null;
  joinedAfterEnd: boolean;
  /** Why the device took chunks by unicast, as text; empty: it did not. */
  unicastReason: string;
  usedWanFallback: boolean;
  /** Whether the device kept second copies for the representative. */
  wasStandby: boolean;
};

export class DeliveryLog {
  readonly notes: DeliveryNotes = {
    hasLed: false,
    joinedAtShare: null,
    joinedAfterEnd: false,
    unicastReason: "",
    usedWanFallback: false,
    wasStandby: false,
  };
  #hasJoined = false;

  /** @param unicastReason text on why chunks currently come by unicast; empty: they do not */
  observe({ state, isDownloading, config: { held } }: ObservedMember, unicastReason = ""): void {
    const { notes } = this;
    if (state.role === "representative") {
      notes.hasLed = true;
      this.#hasJoined = true;
    }
    if (state.role !== "peer") return;
    if (isDownloading) notes.usedWanFallback = true;
    if (state.standbyChunks !== null) notes.wasStandby = true;
    if (state.delivery.mode.kind === "unicast") notes.unicastReason = unicastReason;
    // A device that joined under an earlier representative did not join late.
    if (this.#hasJoined) return;
    this.#hasJoined = true;
    const { castCount, phase } = state.leader.announced;
    if (castCount <= held.count) return;
    notes.joinedAtShare = castCount / Math.max(1, held.size);
    notes.joinedAfterEnd = phase === phases.serving;
  }
}

/**
 * Losses on this device: symbols dropped because the disk was behind, and datagrams dropped at a
 * full receive buffer.
 */
type Losses = { readonly diskOverflow: number; readonly kernelDrops: number };

/** Returns why bytes did not come by multicast; empty if all did, or no reason is known. */
export function reasonForDelivery(from: OriginBytes, notes: DeliveryNotes, losses: Losses): string {
  if (from.wan + from.peers === 0) return "";
  if (notes.hasLed) return from.wan > 0 ? "representative" : "other devices held it already";
  if (from.wan > 0) return notes.usedWanFallback ? "no device of its subnet could be reached" : "";
  if (notes.unicastReason !== "") return notes.unicastReason;
  if (notes.joinedAfterEnd) return "joined after the multicast";
  if (notes.joinedAtShare !== null) {
    return `joined late, ${shareText(notes.joinedAtShare)} had been multicast`;
  }
  if (notes.wasStandby) return "kept a second copy before the multicast began";
  if (losses.diskOverflow > 0) return "missed parts of the multicast: its disk was too slow";
  if (losses.kernelDrops > 0) return "missed parts of the multicast: its receive buffer was full";
  return "missed parts of the multicast";
}

export const reasonWithoutSession = (waitedForOther: boolean): string =>
  waitedForOther ? "fetched by another task" : "already in the cache";

const origins = [
  ["multicast", "multicast"],
  ["peers", "from peers"],
  ["wan", "over the WAN"],
  ["cache", "without the network"],
] as const satisfies readonly (readonly [keyof OriginBytes, string])[];

/** Returns the phrase of a complete device, with `why` in brackets unless it is empty. */
export function completionText(from: OriginBytes, totalBytes: number, why: string): string {
  const parts = origins
    .filter(([origin]) => from[origin] > 0)
    .map(([origin, words]) => `${shareText(from[origin] / Math.max(1, totalBytes))} ${words}`);
  if (parts.length === 0) return "complete";
  return `complete: ${parts.join(", ")}${why && ` (${why})`}`;
}

/** Formats a share; neither "0 %" for some bytes nor "100 %" for less than all. */
function shareText(share: number): string {
  if (share < 0.01) return "<1 %";
  return `${share >= 1 ? 100 : Math.min(99, Math.round(share * 100))} %`;
}
