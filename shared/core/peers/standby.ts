/**
 * Standby replication: one peer, the standby, fetches by unicast the chunks that only the
 * representative holds and has not multicast yet. After a failover they need not cross the WAN
 * again. The representative names the standby and the chunks (ENTRUST), and replaces a standby
 * without progress. Standby is not a role: a device is standby while its ENTRUST is valid.
 */
import { assert } from "../../model/assert.ts";
import { ChunkSet, type Ranges } from "../../model/chunk-set.ts";
import type { Holders } from "./holders.ts";
import { rosterDevicesMax, type Roster } from "./roster.ts";
import { timing } from "../timing.ts";
import { limits, rangesWithin } from "../../wire/index.ts";

export type StandbyChunks = { readonly chunks: ChunkSet; readonly untilMs: number };

/** Subnet as the representative knows it. */
export type ReplicationView = {
  readonly roster: Roster;
  readonly holders: Holders;
  /** Whether this chunk was verified here in this session and has never been multicast. */
  readonly isSoleCopy: (chunk: number) => boolean;
};

type Standby = { readonly device: string; missing: number; progressAtMs: number };

/** Representative's side: chooses the standby and the chunks to entrust. */
export class StandbyReplication {
  /**
   * Current standby, its missing-chunk count at its last progress, and the time of that progress.
   */
  #standby: Standby | null = null;
  /** Devices that made no progress as standby; any other device is preferred. */
  readonly #failed = new Set<string>();
  #nextAtMs = Number.NEGATIVE_INFINITY;

  /** Next ENTRUST; null: nothing is to be entrusted now. */
  next(view: ReplicationView, nowMs: number): { toDevice: string; ranges: Ranges } | null {
    if (nowMs < this.#nextAtMs) return null;
    this.#nextAtMs = nowMs + timing.standbyEveryMs;
    this.#review(view, nowMs);
    const ranges = rangesOf(view, nowMs);
    if (ranges.length === 0) {
      if (this.#standby) this.#standby.progressAtMs = nowMs;
      return null;
    }
    this.#standby ??= this.#choose(view, nowMs);
    assert(ranges.length % 2 === 0, "ranges are not pairs");
    return this.#standby && { toDevice: this.#standby.device, ranges };
  }

  /** Drops a standby that makes no progress on the chunks it was given. */
  #review({ roster, holders }: ReplicationView, nowMs: number): void {
    if (!this.#standby) return;
    const { device, missing, progressAtMs } = this.#standby;
    const known = roster.get(device);
    // The standby is complete, has left the roster, or uses unicast and picks its own chunks.
    if (!known || known.delivery === "unicast") {
      this.#standby = null;
      return;
    }
    const left = known.missing.count;
    if (left < missing) Object.assign(this.#standby, { missing: left, progressAtMs: nowMs });
    else if (nowMs >= progressAtMs + timing.standbyIdleMs) {
      if (this.#failed.size >= rosterDevicesMax) this.#failed.clear();
      this.#failed.add(device);
      this.#standby = null;
      // A device without progress may have failed, and what it holds with it.
      holders.forget(device);
    }
  }

  /** Chooses the device that is missing the fewest chunks. */
  #choose({ roster }: ReplicationView, nowMs: number): Standby | null {
    const eligible = [...roster].filter(
      ({ delivery, lanPort, missing }) => delivery === "multicast" && lanPort > 0 && !missing.isEmpty,
    );
    const untried = eligible.filter(({ device }) => !this.#failed.has(device));
    // Every eligible device failed once; all of them are tried again.
    if (untried.length === 0) this.#failed.clear();
    const best = (untried.length > 0 ? untried : eligible).toSorted(
      (a, b) => a.missing.count - b.missing.count,
    )[0];
    assert(best === undefined || best.lanPort > 0, "a standby has no exchange");
    return best ? { device: best.device, missing: best.missing.count, progressAtMs: nowMs } : null;
  }
}

function rangesOf({ holders, isSoleCopy }: ReplicationView, nowMs: number): Ranges {
  const chunks = new ChunkSet(holders.chunkCount);
  const onSubnet = holders.heldChunks(nowMs);
  for (let chunk = onSubnet.nextMissing(0); chunk >= 0; chunk = onSubnet.nextMissing(chunk + 1))
    if (isSoleCopy(chunk)) chunks.add(chunk);
  return rangesWithin(limits.smallDatagramMaxBytes, chunks.toRanges(limits.rangesMax));
}
