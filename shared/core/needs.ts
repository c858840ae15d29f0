/**
 * What a representative was asked to repair. Peers say *how many* symbols a block lacks, never which: so the largest
 * number serves them all, and one repair symbol mends different losses at different peers.
 *
 * A chunk that is missing as a whole is sent again when several devices miss it; for one device alone, see lone.ts.
 */
import { wholeChunks } from "../wire/index.ts";

/** Blocks and chunks remembered between two answers; beyond that the peers ask again. */
const openNeedsMax = 65_536;

export type BlockNeed = { block: number; count: number };
export type NeedAnswer = {
  readonly repairs: Map<number, BlockNeed[]>;
  /** Missed as a whole by several. */
  readonly recast: number[];
  /** Missed as a whole by one: pairs of chunk and device. */
  readonly alone: readonly (readonly [number, string])[];
};

export class NeedBook {
  readonly #chunkCount: number;
  readonly #isCast: (chunk: number) => boolean;
  readonly #blocks = new Map<number, Map<number, number>>();
  readonly #whole = new Map<number, string | "several">();
  #open = 0;
  #firstAtMs: number | null = null;

  /** @param isCast whether a chunk was sent before: only then is it asked for again */
  constructor(chunkCount: number, isCast: (chunk: number) => boolean) {
    this.#chunkCount = chunkCount;
    this.#isCast = isCast;
  }

  /** When the oldest unanswered need was heard. */
  get firstAtMs(): number | null {
    return this.#firstAtMs;
  }

  /** @param entries flat [chunk, block, count, …]; with block 0xffff, `count` chunks from `chunk` on as a whole. */
  note(device: string, entries: readonly number[], nowMs: number): void {
    for (let i = 0; i + 2 < entries.length; i += 3) {
      const [chunk, block, count] = [entries[i]!, entries[i + 1]!, entries[i + 2]!];
      if (chunk >= this.#chunkCount || count < 1) continue;
      if (block === wholeChunks) {
        for (let c = chunk; c < Math.min(this.#chunkCount, chunk + count); c++)
          this.#noteWhole(c, device, nowMs);
      } else this.#noteBlock(chunk, block, count, nowMs);
    }
  }

  #noteWhole(chunk: number, device: string, nowMs: number): void {
    if (!this.#isCast(chunk)) return;
    const known = this.#whole.get(chunk);
    if (known === undefined && this.#open++ >= openNeedsMax) return;
    this.#whole.set(chunk, known === undefined || known === device ? device : "several");
    this.#firstAtMs ??= nowMs;
  }

  #noteBlock(chunk: number, block: number, count: number, nowMs: number): void {
    let blocks = this.#blocks.get(chunk);
    if (!blocks) this.#blocks.set(chunk, (blocks = new Map()));
    const known = blocks.get(block);
    if (known === undefined && this.#open++ >= openNeedsMax) return;
    blocks.set(block, Math.max(known ?? 0, Math.min(count, 255)));
    this.#firstAtMs ??= nowMs;
  }

  /** Everything asked since the last answer; the book is empty afterwards. */
  answer(): NeedAnswer {
    const recast = [...this.#whole].filter(([, who]) => who === "several").map(([chunk]) => chunk);
    const alone = [...this.#whole].filter(([, who]) => who !== "several");
    const again = new Set(recast);
    const repairs = new Map<number, BlockNeed[]>();
    for (const [chunk, blocks] of this.#blocks) {
      if (!again.has(chunk))
        repairs.set(
          chunk,
          [...blocks].map(([block, count]) => ({ block, count })),
        );
    }
    this.#blocks.clear();
    this.#whole.clear();
    this.#open = 0;
    this.#firstAtMs = null;
    return { repairs, recast, alone };
  }
}
