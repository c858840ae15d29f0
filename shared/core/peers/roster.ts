/**
 * Roster: devices that take part in a session and the chunks each is missing, as this device
 * received it. The roster is the audience of a multicast. Bounded: the device that was silent
 * longest is dropped first.
 */
import { assert } from "../../model/assert.ts";
import type { ChunkSet } from "../../model/chunk-set.ts";
import { limits } from "../../wire/index.ts";

/**
 * A /22 subnet full of devices. The bitmap of one entry has 1 KiB up to 32 GiB, 32 KiB at 1 TiB.
 */
export const rosterDevicesMax = 1_024;

export type RosterEntry = {
  device: string;
  address: string;
  lanPort: number;
  /** Chunks the device is missing; not changed after it was stored. */
  missing: ChunkSet;
  receivedAtMs: number;
  /** Last known delivery mode: the device listens to the group, or takes chunks by unicast. */
  delivery: "multicast" | "unicast";
  /** Longest symbol that the device receives; undefined: as it stated before. */
  symbolMaxBytes?: number;
};

type Known = RosterEntry & {
  /** Longest symbol that the device receives, as it stated last. */
  readonly symbolMaxBytes: number;
  /** Time of the last frame or poll of the device. */
  activeAtMs: number;
  /** Time at which the number of missing chunks last changed. */
  readonly changedAtMs: number;
};

export class Roster {
  readonly #entries = new Map<string, Known>();
  /**
   * Listeners that are missing a chunk, by chunk. Kept as counts, which are read far more often
   * than they change.
   */
  #listeners = new Uint16Array(0);
  /** Devices that listen to the group and are missing chunks. */
  #listenerCount = 0;

  update(entry: RosterEntry): void {
    const known = this.#entries.get(entry.device);
    const isChanged = known?.missing.count !== entry.missing.count;
    this.forget(entry.device);
    this.#entries.set(entry.device, {
      ...entry,
      symbolMaxBytes: entry.symbolMaxBytes ?? known?.symbolMaxBytes ?? limits.symbolMaxBytes,
      activeAtMs: entry.receivedAtMs,
      changedAtMs: isChanged ? entry.receivedAtMs : known.changedAtMs,
    });
    assert(
      this.#listeners.length === 0 || this.#listeners.length === entry.missing.size,
      "chunks of a device are of another package",
    );
    if (this.#listeners.length === 0) this.#listeners = new Uint16Array(entry.missing.size);
    this.#count(entry, 1);
    if (this.#entries.size > rosterDevicesMax) this.forget(this.#entries.keys().next().value!);
    assert(this.#entries.size <= rosterDevicesMax, "more devices than rosterDevicesMax");
  }

  forget(device: string): void {
    const known = this.#entries.get(device);
    if (!known) return;
    this.#entries.delete(device);
    this.#count(known, -1);
  }

  /** Notes a frame of the device. */
  noteActive(device: string, nowMs: number): void {
    const known = this.#entries.get(device);
    if (known) known.activeAtMs = nowMs;
  }

  /** Does not count the time that this device slept as silence of the others. */
  creditStall(stalledMs: number): void {
    for (const entry of this.#entries.values()) entry.activeAtMs += stalledMs;
  }

  #count({ delivery, missing }: RosterEntry, by: 1 | -1): void {
    if (delivery !== "multicast" || missing.isEmpty) return;
    this.#listenerCount += by;
    for (let chunk = missing.next(0); chunk >= 0; chunk = missing.next(chunk + 1))
      this.#listeners[chunk]! += by;
  }

  get(device: string): Known | undefined {
    return this.#entries.get(device);
  }

  [Symbol.iterator](): IterableIterator<Readonly<Known>> {
    return this.#entries.values();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Number of devices that are missing chunks. */
  get audience(): number {
    let devices = 0;
    for (const entry of this.#entries.values()) if (!entry.missing.isEmpty) devices++;
    return devices;
  }

  /** Devices of the audience that take chunks by unicast. */
  get unicastCount(): number {
    let devices = 0;
    for (const { delivery, missing } of this.#entries.values())
      if (delivery === "unicast" && !missing.isEmpty) devices++;
    return devices;
  }

  get hasListeners(): boolean {
    return this.#listenerCount > 0;
  }

  /** Longest symbol that every listener receives; infinite without one. */
  get symbolMaxBytes(): number {
    let bytes = Number.POSITIVE_INFINITY;
    for (const { delivery, missing, symbolMaxBytes } of this.#entries.values())
      if (delivery === "multicast" && !missing.isEmpty) bytes = Math.min(bytes, symbolMaxBytes);
    return bytes;
  }

  /** Whether any device that listens to the group is missing this chunk. */
  hasListenerMissing(chunk: number): boolean {
    return (this.#listeners[chunk] ?? 0) > 0;
  }
}
