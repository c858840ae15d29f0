/**
 * A simulated disk with the ledger on it: what is on the platter, what is only in the page cache, what the ledger
 * lists. It outlives the processes of its device, and breaks in the ways that disks do: full, a power cut that tears
 * what was being written, bit rot.
 */
import type { Random } from "./random.ts";

export class DiskError extends Error {}

export class Disk {
  /** Writes fail. */
  isFull = false;
  manifest = false;
  state: "partial" | "complete" = "partial";
  /** Chunks that the ledger lists. */
  readonly ledger = new Set<number>();
  /** Listed by a transaction that a power cut may still lose. */
  readonly #ledgerRecent = new Set<number>();
  readonly #platter = new Map<number, Uint8Array>();
  readonly #pageCache = new Map<number, Uint8Array>();

  /** @throws DiskError */
  write(chunk: number, bytes: Uint8Array): void {
    if (this.isFull) throw new DiskError("the disk is full");
    this.#pageCache.set(chunk, bytes.slice());
  }

  /** @throws DiskError */
  sync(): void {
    for (const [chunk, bytes] of this.#pageCache) this.#platter.set(chunk, bytes);
    this.#pageCache.clear();
  }

  /** As it lies there; what was never written is not there. */
  read(chunk: number): Uint8Array | undefined {
    return this.#pageCache.get(chunk) ?? this.#platter.get(chunk);
  }

  /** @throws DiskError */
  list(chunks: Iterable<number>): void {
    if (this.isFull) throw new DiskError("the disk is full");
    this.#ledgerRecent.clear();
    for (const chunk of chunks) {
      this.ledger.add(chunk);
      this.#ledgerRecent.add(chunk);
    }
  }

  unlist(chunks: Iterable<number>): void {
    for (const chunk of chunks) this.ledger.delete(chunk);
  }

  /** Durable when it returns, and all that was written to the ledger before with it. @throws DiskError */
  setState(state: "partial" | "complete"): void {
    if (this.isFull) throw new DiskError("the disk is full");
    this.state = state;
    this.#ledgerRecent.clear();
  }

  /** Of what was not synced, each chunk is lost, torn or written; the last transaction of the ledger may be lost. */
  cutPower(random: Random): void {
    for (const [chunk, bytes] of this.#pageCache) {
      const fate = random.next();
      if (fate < 0.4) continue;
      if (fate < 0.7) this.#platter.set(chunk, torn(bytes, this.#platter.get(chunk), random));
      else this.#platter.set(chunk, bytes);
    }
    this.#pageCache.clear();
    if (random.chance(0.5)) this.unlist(this.#ledgerRecent);
    this.#ledgerRecent.clear();
  }

  /** One bit of a chunk flips. False: nothing of it is on the disk. */
  rot(chunk: number, random: Random): boolean {
    const bytes = this.read(chunk)?.slice();
    if (!bytes) return false;
    bytes[random.whole(0, bytes.length - 1)]! ^= 1 << random.whole(0, 7);
    if (this.#pageCache.has(chunk)) this.#pageCache.set(chunk, bytes);
    else this.#platter.set(chunk, bytes);
    return true;
  }
}

/** The first sectors are new, the rest is what was there before. */
function torn(bytes: Uint8Array, before: Uint8Array | undefined, random: Random): Uint8Array {
  const result = before?.length === bytes.length ? before.slice() : new Uint8Array(bytes.length);
  result.set(bytes.subarray(0, random.whole(0, bytes.length - 1)));
  return result;
}
