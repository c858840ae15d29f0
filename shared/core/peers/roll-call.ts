/**
 * Roll call of a representative: a device of its roster that sent nothing for long is asked whether
 * it is still there (ASK), and forgotten if it does not answer. Without that, a multicast would
 * continue for devices that were switched off.
 */
import { assert } from "../../model/assert.ts";
import { timing } from "../timing.ts";
import type { Roster } from "./roster.ts";

/** Upper bound on devices that are asked at once; their answers arrive together. */
const asksMax = 16;

type Asked = { count: number; atMs: number };

export class RollCall {
  readonly #asked = new Map<string, Asked>();
  #nextAtMs = Number.NEGATIVE_INFINITY;

  /** Returns the devices to ask now, and forgets those that did not answer. */
  next(roster: Roster, nowMs: number): string[] {
    if (nowMs < this.#nextAtMs) return [];
    this.#nextAtMs = nowMs + timing.askEveryMs / 4;
    const silentMs = timing.askSilentMs + roster.audience * timing.askSilentPerDeviceMs;
    const toAsk: string[] = [];
    for (const { device, activeAtMs } of roster) {
      const asked = this.#asked.get(device);
      if (nowMs < activeAtMs + silentMs) this.#asked.delete(device);
      else if (asked !== undefined && nowMs < asked.atMs + timing.askEveryMs) continue;
      else if (asked !== undefined && asked.count >= timing.asksMax) {
        this.#asked.delete(device);
        roster.forget(device);
      } else if (toAsk.length < asksMax) {
        this.#asked.set(device, { count: (asked?.count ?? 0) + 1, atMs: nowMs });
        toAsk.push(device);
      }
    }
    for (const device of this.#asked.keys()) if (!roster.get(device)) this.#asked.delete(device);
    assert(this.#asked.size <= roster.size, "more devices were asked than are known");
    return toAsk;
  }
}
