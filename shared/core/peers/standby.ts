/**
 * The deputy: one peer that takes by unicast what only the representative holds while the multicast has not begun, so
 * that a representative that falls does not take with it what crossed the WAN already. The representative names it and
 * the chunks (ENTRUST); a deputy that takes nothing for a while is replaced. No state of the protocol: a
 * device is deputy as long as it is told so.
 */
import { ChunkSet, type Ranges } from "../../model/chunk-set.ts";
import type { Holders } from "./holders.ts";
import { rosterDevicesMax, type Roster } from "./roster.ts";
import { timing } from "../timing.ts";
import { limits } from "../../wire/index.ts";

export type StandbyChunks = { readonly chunks: ChunkSet; readonly untilMs: number };

/** What a representative knows of its subnet. */
export type ReplicationView = {
  readonly roster: Roster;
  readonly holders: Holders;
  /** Did this chunk come to this device in this session, and was it never multicast? */
  readonly isSoleCopy: (chunk: number) => boolean;
};

type Standby = { readonly device: string; missing: number; progressAtMs: number };

/** A representative's side: to whom what is entrusted. */
export class StandbyReplication {
  /** What it missed when it last had less to miss, and when that was. */
  #standby: Standby | null = null;
  /** Those that took nothing: any other goes before them. */
  readonly #failed = new Set<string>();
  #nextAtMs = Number.NEGATIVE_INFINITY;

  /** The next ENTRUST, or null while there is nothing to say. */
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
    return this.#standby && { toDevice: this.#standby.device, ranges };
  }

  /** One that takes nothing of what it was named is none. */
  #review({ roster, holders }: ReplicationView, nowMs: number): void {
    if (!this.#standby) return;
    const { device, missing, progressAtMs } = this.#standby;
    const known = roster.get(device);
    // It misses nothing any more, is forgotten, or takes what it likes and not what it is named.
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
      // What it said it holds may be gone with it.
      holders.forget(device);
    }
  }

  /** Who has most of the package already. */
  #choose({ roster }: ReplicationView, nowMs: number): Standby | null {
    const eligible = [...roster].filter(
      ({ delivery, lanPort, missing }) => delivery === "multicast" && lanPort > 0 && !missing.isEmpty,
    );
    const untried = eligible.filter(({ device }) => !this.#failed.has(device));
    // Each of them failed once: they begin anew.
    if (untried.length === 0) this.#failed.clear();
    const best = (untried.length > 0 ? untried : eligible).toSorted(
      (a, b) => a.missing.count - b.missing.count,
    )[0];
    return best ? { device: best.device, missing: best.missing.count, progressAtMs: nowMs } : null;
  }
}

function rangesOf({ holders, isSoleCopy }: ReplicationView, nowMs: number): Ranges {
  const chunks = new ChunkSet(holders.chunkCount);
  const onSubnet = holders.heldChunks(nowMs);
  for (let chunk = onSubnet.nextMissing(0); chunk >= 0; chunk = onSubnet.nextMissing(chunk + 1))
    if (isSoleCopy(chunk)) chunks.add(chunk);
  return chunks.toRanges(limits.rangesMax);
}
