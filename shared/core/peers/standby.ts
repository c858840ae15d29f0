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

export type Entrusted = { readonly chunks: ChunkSet; readonly untilMs: number };

/** What a representative knows of its subnet. */
export type Trust = {
  readonly roster: Roster;
  readonly holders: Holders;
  /** Did this chunk come to this device in this session, and was it never multicast? */
  readonly isAlone: (chunk: number) => boolean;
};

type Deputy = { readonly device: string; missing: number; progressAtMs: number };

/** A representative's side: to whom what is entrusted. */
export class Entrusting {
  /** What it missed when it last had less to miss, and when that was. */
  #deputy: Deputy | null = null;
  /** Those that took nothing: any other goes before them. */
  readonly #failed = new Set<string>();
  #nextAtMs = Number.NEGATIVE_INFINITY;

  /** The next ENTRUST, or null while there is nothing to say. */
  next(trust: Trust, nowMs: number): { toDevice: string; ranges: Ranges } | null {
    if (nowMs < this.#nextAtMs) return null;
    this.#nextAtMs = nowMs + timing.entrustEveryMs;
    this.#judge(trust, nowMs);
    const ranges = rangesOf(trust, nowMs);
    if (ranges.length === 0) {
      if (this.#deputy) this.#deputy.progressAtMs = nowMs;
      return null;
    }
    this.#deputy ??= this.#choose(trust, nowMs);
    return this.#deputy && { toDevice: this.#deputy.device, ranges };
  }

  /** One that takes nothing of what it was named is none. */
  #judge({ roster, holders }: Trust, nowMs: number): void {
    if (!this.#deputy) return;
    const { device, missing, progressAtMs } = this.#deputy;
    const known = roster.get(device);
    // It misses nothing any more, is forgotten, or takes what it likes and not what it is named.
    if (!known || known.way === "unicast") {
      this.#deputy = null;
      return;
    }
    const left = known.missing.count;
    if (left < missing) Object.assign(this.#deputy, { missing: left, progressAtMs: nowMs });
    else if (nowMs >= progressAtMs + timing.deputyIdleMs) {
      if (this.#failed.size >= rosterDevicesMax) this.#failed.clear();
      this.#failed.add(device);
      this.#deputy = null;
      // What it said it holds may be gone with it.
      holders.forget(device);
    }
  }

  /** Who has most of the package already. */
  #choose({ roster }: Trust, nowMs: number): Deputy | null {
    const able = [...roster].filter(
      ({ way, lanPort, missing }) => way === "multicast" && lanPort > 0 && !missing.isEmpty,
    );
    const untried = able.filter(({ device }) => !this.#failed.has(device));
    // Each of them failed once: they begin anew.
    if (untried.length === 0) this.#failed.clear();
    const best = (untried.length > 0 ? untried : able).toSorted(
      (a, b) => a.missing.count - b.missing.count,
    )[0];
    return best ? { device: best.device, missing: best.missing.count, progressAtMs: nowMs } : null;
  }
}

function rangesOf({ holders, isAlone }: Trust, nowMs: number): Ranges {
  const chunks = new ChunkSet(holders.chunkCount);
  const onSubnet = holders.within(nowMs);
  for (let chunk = onSubnet.nextMissing(0); chunk >= 0; chunk = onSubnet.nextMissing(chunk + 1))
    if (isAlone(chunk)) chunks.add(chunk);
  return chunks.toRanges(limits.rangesMax);
}
