/**
 * Holders: which devices on the LAN hold which chunks of a package, and from which one to fetch
 * next (the least loaded). A holder that fails is backed off; a holder of wrong bytes is banned.
 *
 * A statement alone does not keep the WAN waiting. A holder whose last fetch failed is tried again,
 * but its chunks count as held only after one of them came. The same goes for untried holders once
 * several others failed at their first fetch: a packet filter on every device, for example.
 *
 * A holder is identified by address and port, not by the device id it states. A device therefore
 * cannot have another one banned by using its id.
 */
import { assert } from "../../model/assert.ts";
import { ChunkSet } from "../../model/chunk-set.ts";

export const holdersMax = 64;
/** Fetches in flight at one holder and in total: enough to fill a LAN, too few to flood a peer. */
export const fetchesPerHolderMax = 2;
export const fetchesMax = 4;
const failurePenaltyMs = 3_000;
export const failurePenaltyMsMax = 60_000;
/** Holders that never served and failed, from which on untried ones are not believed either. */
const doubtfulFrom = 2;

export type Holder = { device: string; address: string; lanPort: number };
type Entry = Holder & {
  chunks: ChunkSet;
  load: number;
  inFlight: number;
  served: number;
  failures: number;
  bannedUntilMs: number;
};
export type Fetch = { chunk: number; holder: Holder };

const keyOf = ({ address, lanPort }: Holder): string => `${address} ${lanPort}`;

export class Holders {
  readonly chunkCount: number;
  readonly #entries = new Map<string, Entry>();
  /** `isTrial`: the holder was not believed when the fetch began. */
  readonly #inFlight = new Map<number, { fetch: Fetch; entry: Entry; isTrial: boolean }>();

  constructor(chunkCount: number) {
    this.chunkCount = chunkCount;
  }

  /**
   * Adds chunks that a device states to hold.
   * @param load percent
   * @param replaces the list is complete and replaces what is known of the holder
   */
  update(holder: Holder, chunks: ChunkSet, load: number, replaces = false): void {
    assert(chunks.size === this.chunkCount, "chunks of a holder are of another package");
    // Port 0: the device serves nothing.
    if (holder.lanPort === 0) return;
    const known = this.#entries.get(keyOf(holder));
    if (known) {
      // A banned holder keeps the device id under which it was banned.
      if (known.bannedUntilMs === Number.POSITIVE_INFINITY) return;
      Object.assign(known, { device: holder.device, load });
      if (replaces) known.chunks = chunks.clone();
      else known.chunks.addAll(chunks);
      return;
    }
    if (this.#entries.size >= holdersMax) this.#dropWorst();
    this.#entries.set(keyOf(holder), {
      ...holder,
      chunks: chunks.clone(),
      load,
      inFlight: 0,
      served: 0,
      failures: 0,
      bannedUntilMs: 0,
    });
    assert(this.#entries.size <= holdersMax, "more holders than holdersMax");
  }

  [Symbol.iterator](): IterableIterator<Holder> {
    return this.#entries.values();
  }

  /**
   * Removes a departed device and frees its fetches for other holders at once, without a time-out.
   * A banned holder stays banned.
   */
  forget(device: string): void {
    for (const [key, entry] of this.#entries)
      if (entry.device === device && entry.bannedUntilMs !== Number.POSITIVE_INFINITY)
        this.#entries.delete(key);
    for (const [chunk, { entry }] of this.#inFlight)
      if (entry.device === device) this.#inFlight.delete(chunk);
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Number of fetches in flight. */
  get fetching(): number {
    return this.#inFlight.size;
  }

  /** Whether a holder that is believed holds this chunk. */
  holds(chunk: number, nowMs: number): boolean {
    for (const entry of this.#entries.values())
      if (entry.chunks.has(chunk) && this.#isBelieved(entry, nowMs)) return true;
    return false;
  }

  /** Chunks of believed holders, and chunks in flight. */
  heldChunks(nowMs: number): ChunkSet {
    const chunks = new ChunkSet(this.chunkCount);
    for (const entry of this.#entries.values())
      if (this.#isBelieved(entry, nowMs)) chunks.addAll(entry.chunks);
    for (const [chunk, { isTrial }] of this.#inFlight) if (!isTrial) chunks.add(chunk);
    return chunks;
  }

  #isBelieved({ bannedUntilMs, served, failures }: Entry, nowMs: number): boolean {
    return bannedUntilMs <= nowMs && failures === 0 && (served > 0 || !this.#isDoubtful);
  }

  get #isDoubtful(): boolean {
    let failed = 0;
    for (const { served, failures } of this.#entries.values()) if (served === 0 && failures > 0) failed++;
    return failed >= doubtfulFrom;
  }

  /**
   * Starts the next fetch of a missing chunk; null: no holder is free, or none holds one. The fetch
   * is in flight until `finished`.
   * @param from chunk to begin the search at; the search wraps around
   * @param among chunks to choose from; null: all
   */
  next(held: ChunkSet, nowMs: number, from = 0, among: ChunkSet | null = null): Fetch | null {
    if (held.isFull || this.#inFlight.size >= fetchesMax) return null;
    const free = [...this.#entries.values()].filter(
      (e) => e.bannedUntilMs <= nowMs && e.inFlight < (this.#isBelieved(e, nowMs) ? fetchesPerHolderMax : 1),
    );
    if (free.length === 0) return null;
    free.sort((a, b) => a.inFlight - b.inFlight || a.load - b.load || a.served - b.served);
    for (const wrap of [from, 0]) {
      for (let chunk = held.nextMissing(wrap); chunk >= 0; chunk = held.nextMissing(chunk + 1)) {
        if (this.#inFlight.has(chunk) || (among && !among.has(chunk))) continue;
        const entry = free.find((e) => e.chunks.has(chunk));
        if (!entry) continue;
        assert(!held.has(chunk), "a held chunk is fetched");
        const isTrial = !this.#isBelieved(entry, nowMs);
        entry.inFlight++;
        const { device, address, lanPort } = entry;
        const fetch = { chunk, holder: { device, address, lanPort } };
        this.#inFlight.set(chunk, { fetch, entry, isTrial });
        return fetch;
      }
    }
    return null;
  }

  /** Whether the chunk is in flight from a holder that was believed. */
  isFetching(chunk: number): boolean {
    return this.#inFlight.get(chunk)?.isTrial === false;
  }

  /**
   * Ends a fetch. The outcome decides when its holder is asked again: after a failure with an
   * exponential back-off, after wrong bytes never.
   */
  finished(fetch: Fetch, outcome: "served" | "failed" | "not-found" | "busy" | "wrong", nowMs: number): void {
    const underWay = this.#inFlight.get(fetch.chunk);
    if (underWay?.fetch !== fetch) return;
    this.#inFlight.delete(fetch.chunk);
    const { entry } = underWay;
    assert(entry.inFlight > 0, "a fetch ends that its holder did not count");
    entry.inFlight--;
    switch (outcome) {
      case "served":
        entry.served++;
        entry.failures = 0;
        return;
      case "not-found":
        entry.chunks.delete(fetch.chunk);
        return;
      case "busy":
        entry.load = 100;
        entry.bannedUntilMs = nowMs + 200;
        return;
      case "failed":
        entry.failures++;
        entry.bannedUntilMs =
          nowMs + Math.min(failurePenaltyMsMax, failurePenaltyMs * 2 ** (entry.failures - 1));
        return;
      case "wrong":
        entry.chunks = new ChunkSet(this.chunkCount);
        entry.bannedUntilMs = Number.POSITIVE_INFINITY;
    }
  }

  #dropWorst(): void {
    const idle = [...this.#entries.values()].filter(
      (e) => e.inFlight === 0 && e.bannedUntilMs !== Number.POSITIVE_INFINITY,
    );
    const worst = idle.toSorted((a, b) => a.chunks.count - b.chunks.count)[0];
    if (worst) this.#entries.delete(keyOf(worst));
    else this.#entries.delete(this.#entries.keys().next().value!);
  }
}
