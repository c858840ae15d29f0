/**
 * Who takes part in a task on this subnet, as far as one device has heard: the audience of a multicast and what it
 * misses. Bounded; who was silent longest makes room.
 */
import type { ChunkSet } from "../../model/chunk-set.ts";

/** A /22 subnet full of devices; one entry is below 1.1 KiB of bitmap. */
export const rosterDevicesMax = 1_024;

export type RosterEntry = {
  device: string;
  address: string;
  lanPort: number;
  /** Never changed after it was noted. */
  missing: ChunkSet;
  receivedAtMs: number;
  /** As it was heard last: it listens to the group, or takes chunks by unicast. */
  delivery: "multicast" | "unicast";
};

/** As it is remembered. */
type Known = RosterEntry & {
  /** When it last missed more or less than before. */
  readonly changedAtMs: number;
};

export class Roster {
  readonly #entries = new Map<string, Known>();
  /** Of each chunk, how many who listen to the group miss it: asked far more often than it changes. */
  #listeners = new Uint16Array(0);

  update(entry: RosterEntry): void {
    const known = this.#entries.get(entry.device);
    const isChanged = known?.missing.count !== entry.missing.count;
    this.forget(entry.device);
    this.#entries.set(entry.device, {
      ...entry,
      changedAtMs: isChanged ? entry.receivedAtMs : known.changedAtMs,
    });
    if (this.#listeners.length === 0) this.#listeners = new Uint16Array(entry.missing.size);
    this.#count(entry, 1);
    if (this.#entries.size > rosterDevicesMax) this.forget(this.#entries.keys().next().value!);
  }

  forget(device: string): void {
    const known = this.#entries.get(device);
    if (!known) return;
    this.#entries.delete(device);
    this.#count(known, -1);
  }

  #count({ delivery, missing }: RosterEntry, by: 1 | -1): void {
    if (delivery !== "multicast") return;
    for (let chunk = missing.next(0); chunk >= 0; chunk = missing.next(chunk + 1))
      this.#listeners[chunk]! += by;
  }

  get(device: string): Known | undefined {
    return this.#entries.get(device);
  }

  [Symbol.iterator](): IterableIterator<RosterEntry> {
    return this.#entries.values();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Devices that still miss something. */
  get audience(): number {
    let devices = 0;
    for (const entry of this.#entries.values()) if (!entry.missing.isEmpty) devices++;
    return devices;
  }

  /** Those of the audience that take chunks by unicast. */
  get unicastCount(): number {
    let devices = 0;
    for (const { delivery, missing } of this.#entries.values())
      if (delivery === "unicast" && !missing.isEmpty) devices++;
    return devices;
  }

  /** Does anybody who listens to the group miss this chunk? */
  hasListenerMissing(chunk: number): boolean {
    return (this.#listeners[chunk] ?? 0) > 0;
  }
}
