/**
 * Who on the LAN holds which chunks of a package, and from whom to take the next one: the least loaded that holds
 * it. A holder that fails is left alone for a while, one that serves wrong bytes for good.
 */
import { ChunkSet } from "./chunkset.ts";

export const holdersMax = 64;
/** Requests under way at one holder and altogether: enough to fill a LAN, too few to flood a peer. */
export const fetchesPerHolderMax = 2;
export const fetchesMax = 4;
const failurePenaltyMs = 3_000;
const failurePenaltyMsMax = 60_000;

export type Holder = { device: string; address: string; lanPort: number };
type Entry = Holder & {
  chunks: ChunkSet;
  load: number;
  inFlight: number;
  served: number;
  failures: number;
  shunnedUntilMs: number;
};
export type Fetch = { chunk: number; holder: Holder };

export class Holders {
  readonly chunkCount: number;
  readonly #entries = new Map<string, Entry>();
  readonly #inFlight = new Set<number>();

  constructor(chunkCount: number) {
    this.chunkCount = chunkCount;
  }

  /** What a device said it holds; `replaces` when it is the whole truth, else it is added to what is known. */
  note(holder: Holder, chunks: ChunkSet, load: number, replaces = false): void {
    // It serves nothing.
    if (holder.lanPort === 0) return;
    const known = this.#entries.get(holder.device);
    if (known) {
      Object.assign(known, { address: holder.address, lanPort: holder.lanPort, load });
      if (replaces) known.chunks = chunks.clone();
      else known.chunks.addAll(chunks);
      return;
    }
    if (this.#entries.size >= holdersMax) this.#dropWorst();
    this.#entries.set(holder.device, {
      ...holder,
      chunks: chunks.clone(),
      load,
      inFlight: 0,
      served: 0,
      failures: 0,
      shunnedUntilMs: 0,
    });
  }

  forget(device: string): void {
    this.#entries.delete(device);
  }

  get count(): number {
    return this.#entries.size;
  }

  get fetching(): number {
    return this.#inFlight.size;
  }

  holds(chunk: number, nowMs: number): boolean {
    for (const entry of this.#entries.values())
      if (entry.shunnedUntilMs <= nowMs && entry.chunks.has(chunk)) return true;
    return false;
  }

  /**
   * The next fetch of a missing chunk, or null when nobody is free or nobody holds one. It counts as under way.
   * @param among only one of these
   */
  next(held: ChunkSet, nowMs: number, from = 0, among: ChunkSet | null = null): Fetch | null {
    if (this.#inFlight.size >= fetchesMax) return null;
    const free = [...this.#entries.values()].filter(
      (e) => e.inFlight < fetchesPerHolderMax && e.shunnedUntilMs <= nowMs,
    );
    if (free.length === 0) return null;
    free.sort((a, b) => a.inFlight - b.inFlight || a.load - b.load || a.served - b.served);
    for (const wrap of [from, 0]) {
      for (let chunk = held.nextMissing(wrap); chunk >= 0; chunk = held.nextMissing(chunk + 1)) {
        if (this.#inFlight.has(chunk) || (among && !among.has(chunk))) continue;
        const entry = free.find((e) => e.chunks.has(chunk));
        if (!entry) continue;
        entry.inFlight++;
        this.#inFlight.add(chunk);
        return { chunk, holder: { device: entry.device, address: entry.address, lanPort: entry.lanPort } };
      }
    }
    return null;
  }

  isFetching(chunk: number): boolean {
    return this.#inFlight.has(chunk);
  }

  ended(fetch: Fetch, outcome: "served" | "failed" | "lacks" | "busy" | "wrong", nowMs: number): void {
    this.#inFlight.delete(fetch.chunk);
    const entry = this.#entries.get(fetch.holder.device);
    if (!entry) return;
    entry.inFlight = Math.max(0, entry.inFlight - 1);
    switch (outcome) {
      case "served":
        entry.served++;
        entry.failures = 0;
        return;
      case "lacks":
        entry.chunks.delete(fetch.chunk);
        return;
      case "busy":
        entry.load = 100;
        entry.shunnedUntilMs = nowMs + 200;
        return;
      case "failed":
        entry.failures++;
        entry.shunnedUntilMs =
          nowMs + Math.min(failurePenaltyMsMax, failurePenaltyMs * 2 ** (entry.failures - 1));
        return;
      case "wrong":
        entry.chunks = new ChunkSet(this.chunkCount);
        entry.shunnedUntilMs = Number.POSITIVE_INFINITY;
    }
  }

  #dropWorst(): void {
    const idle = [...this.#entries.values()].filter(
      (e) => e.inFlight === 0 && e.shunnedUntilMs !== Number.POSITIVE_INFINITY,
    );
    const worst = idle.toSorted((a, b) => a.chunks.count - b.chunks.count)[0];
    if (worst) this.#entries.delete(worst.device);
    else this.#entries.delete(this.#entries.keys().next().value!);
  }
}
