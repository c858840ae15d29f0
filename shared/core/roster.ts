/**
 * Who takes part in a task on this subnet, as far as one device has heard: the audience of a multicast and what it
 * misses. Bounded; who was silent longest makes room.
 */
import type { ChunkSet } from "./chunkset.ts";

/** A /22 subnet full of devices; one entry is below 1.1 KiB of bitmap. */
export const rosterDevicesMax = 1_024;

export type RosterEntry = {
  device: string;
  address: string;
  lanPort: number;
  missing: ChunkSet;
  heardAtMs: number;
};

export class Roster {
  readonly #entries = new Map<string, RosterEntry>();

  note(entry: RosterEntry): void {
    this.#entries.delete(entry.device);
    this.#entries.set(entry.device, entry);
    if (this.#entries.size > rosterDevicesMax) this.#entries.delete(this.#entries.keys().next().value!);
  }

  forget(device: string): void {
    this.#entries.delete(device);
  }

  get(device: string): RosterEntry | undefined {
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

  /** Does anybody miss this chunk? */
  misses(chunk: number): boolean {
    for (const entry of this.#entries.values()) if (entry.missing.has(chunk)) return true;
    return false;
  }
}
