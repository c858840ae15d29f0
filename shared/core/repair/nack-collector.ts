/**
 * NACK collector of a representative: what it was asked to repair since its last answer. A NACK
 * states how many symbols a block is missing, never which. The largest count therefore serves all
 * peers: one repair symbol repairs different losses at different peers.
 *
 * A chunk missing as a whole is retransmitted when several devices ask for it; for one device alone
 * see single-receiver-losses.ts.
 */
import { assert } from "../../model/assert.ts";
import { wholeChunks } from "../../wire/index.ts";
import type { BlockRepair, RepairPlan } from "./items.ts";
import type { InFlight } from "./in-flight.ts";

/** Upper bound on blocks and chunks kept between two answers; peers ask again for the rest. */
const openEntriesMax = 65_536;

/** Symbols that one NACK asks for, and the last END that its sender received. */
type Nack = { readonly count: number; readonly pass: number };
export class NackCollector {
  readonly #chunkCount: number;
  readonly #wasSent: (chunk: number) => boolean;
  readonly #inFlight: InFlight;
  readonly #blocks = new Map<number, Map<number, Nack>>();
  readonly #whole = new Map<number, string | "several">();
  #openEntries = 0;
  #firstAtMs: number | null = null;

  /**
   * @param wasSent whether a chunk was sent before; only such a chunk can be asked for again
   * @param inFlight symbols on their way
   */
  constructor(chunkCount: number, wasSent: (chunk: number) => boolean, inFlight: InFlight) {
    this.#chunkCount = chunkCount;
    this.#wasSent = wasSent;
    this.#inFlight = inFlight;
  }

  /** Time of the oldest unanswered NACK; null: none. */
  get firstAtMs(): number | null {
    return this.#firstAtMs;
  }

  /**
   * Adds a NACK.
   * @param pass last END that the device received
   * @param entries flat [chunk, block, count, …]; block 0xffff stands for `count` whole chunks from
   * `chunk` on
   */
  add(device: string, pass: number, entries: readonly number[], nowMs: number): void {
    assert(entries.length % 3 === 0, "entries are not triples");
    for (let i = 0; i + 2 < entries.length; i += 3) {
      const [chunk, block, count] = [entries[i]!, entries[i + 1]!, entries[i + 2]!];
      if (chunk >= this.#chunkCount || count < 1) continue;
      if (block === wholeChunks) {
        for (let c = chunk; c < Math.min(this.#chunkCount, chunk + count); c++)
          this.#addWhole(c, device, pass, nowMs);
      } else this.#addBlock(chunk, block, { count: Math.min(count, 255), pass }, nowMs);
    }
  }

  #addWhole(chunk: number, device: string, pass: number, nowMs: number): void {
    if (!this.#wasSent(chunk) || this.#inFlight.wasChunkSentSince(chunk, pass)) return;
    const known = this.#whole.get(chunk);
    if (known === undefined && this.#openEntries++ >= openEntriesMax) return;
    this.#whole.set(chunk, known === undefined || known === device ? device : "several");
    this.#firstAtMs ??= nowMs;
  }

  #addBlock(chunk: number, block: number, nack: Nack, nowMs: number): void {
    const missing = this.#missing(chunk, block, nack);
    if (missing <= 0) return;
    let blocks = this.#blocks.get(chunk);
    if (!blocks) this.#blocks.set(chunk, (blocks = new Map()));
    const known = blocks.get(block);
    if (known === undefined && this.#openEntries++ >= openEntriesMax) return;
    if (known === undefined || this.#missing(chunk, block, known) < missing) blocks.set(block, nack);
    this.#firstAtMs ??= nowMs;
  }

  #missing(chunk: number, block: number, { count, pass }: Nack): number {
    return count - this.#inFlight.symbolsSince(chunk, block, pass);
  }

  /** Removes and returns everything asked for since the last answer. */
  takeRepairs(): RepairPlan {
    const retransmit = [...this.#whole].filter(([, who]) => who === "several").map(([chunk]) => chunk);
    const missedByOne = [...this.#whole].filter(([, who]) => who !== "several");
    const retransmitted = new Set(retransmit);
    const repairs = new Map<number, BlockRepair[]>();
    for (const [chunk, blocks] of this.#blocks) {
      if (retransmitted.has(chunk)) continue;
      const missing = [...blocks]
        .map(([block, nack]) => ({ block, count: this.#missing(chunk, block, nack) }))
        .filter(({ count }) => count > 0);
      if (missing.length > 0) repairs.set(chunk, missing);
    }
    this.#blocks.clear();
    this.#whole.clear();
    this.#openEntries = 0;
    this.#firstAtMs = null;
    assert(
      retransmit.length + missedByOne.length <= this.#chunkCount,
      "more chunks are missing than the package has",
    );
    return { repairs, retransmit, missedByOne };
  }
}
