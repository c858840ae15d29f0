/**
 * Why a device did not get all of its package by multicast: "joined late, 39 % had been multicast".
 *
 * Such bytes have a reason, and most reasons are known only while the
 * session runs. `DeliveryLog` observes the member at every change and keeps them. Pure.
 */
import type { OriginBytes } from "../api/schema/common.ts";
import type { Member } from "../core/member.ts";
import { reason, type Reason } from "../model/reason.ts";
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
  /** Why the device took chunks by unicast; null: it did not. */
  unicastReason: Reason | null;
  usedWanFallback: boolean;
  /** Whether the device kept second copies for the representative. */
  wasStandby: boolean;
};

export class DeliveryLog {
  readonly notes: DeliveryNotes = {
    hasLed: false,
    joinedAtShare: null,
    joinedAfterEnd: false,
    unicastReason: null,
    usedWanFallback: false,
    wasStandby: false,
  };
  #hasJoined = false;

  /** @param unicastReason why chunks currently come by unicast; null: they do not */
  observe(
    { state, isDownloading, config: { held } }: ObservedMember,
    unicastReason: Reason | null = null,
  ): void {
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

/** Returns why bytes did not come by multicast; null if all did, or no reason is known. */
export function reasonForDelivery(from: OriginBytes, notes: DeliveryNotes, losses: Losses): Reason | null {
  if (from.wan + from.peers === 0) return null;
  if (notes.hasLed) return reason(from.wan > 0 ? "was-representative" : "held-by-others");
  if (from.wan > 0) return notes.usedWanFallback ? reason("subnet-unreachable") : null;
  if (notes.unicastReason !== null) return notes.unicastReason;
  if (notes.joinedAfterEnd) return reason("joined-after-multicast");
  if (notes.joinedAtShare !== null) return reason("joined-late", { share: notes.joinedAtShare });
  if (notes.wasStandby) return reason("was-standby");
  if (losses.diskOverflow > 0) return reason("disk-slow");
  return reason(losses.kernelDrops > 0 ? "buffer-full" : "symbols-lost");
}

export const reasonWithoutSession = (waitedForOther: boolean): Reason =>
  reason(waitedForOther ? "fetched-by-other-task" : "was-cached");
