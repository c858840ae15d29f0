/**
 * What a representative multicasts next: repairs first (they finish what peers began), then chunks to send again,
 * then what only this device holds, then the rest of the package in order, behind the front of the download. Never a
 * chunk that nobody misses.
 */
import { ChunkSet, type Ranges } from "../../model/chunk-set.ts";
import type { BlockNeed, CastItem, NeedAnswer } from "./items.ts";

/** Repair symbols that every chunk sent for the first time allows: 0.3 of the 188 of a chunk of 256 KiB. */
const chunkRepairCredit = 56;
const repairCreditMax = 4_096;

export class SendPlan {
  readonly #held: ChunkSet;
  readonly #done: ChunkSet;
  readonly #recast: ChunkSet;
  readonly #repairs = new Map<number, BlockNeed[]>();
  /** Sent since the last END. */
  readonly #unended: ChunkSet;
  /** On its way to the wire. */
  #sending: number | null = null;
  /** Repair symbols that may go before chunks that were not sent yet. */
  #repairCredit = repairCreditMax;

  /**
   * @param held live set of the chunks this device has
   * @param done chunks that an earlier representative of the session already sent
   */
  constructor(held: ChunkSet, done: ChunkSet) {
    this.#held = held;
    this.#done = done.clone();
    this.#recast = new ChunkSet(held.size);
    this.#unended = done.clone();
  }

  /**
   * The next thing to send, or null when nothing is to be sent now. The one before counts as sent.
   * @param elsewhere chunks that another device of the subnet holds: they can wait
   */
  next(isMissed: (chunk: number) => boolean, elsewhere: ChunkSet): CastItem | null {
    this.rest();
    const item = this.#choose(isMissed, elsewhere);
    this.#sending = item?.chunk ?? null;
    return item;
  }

  /** Nothing follows now. The one before counts as sent. */
  rest(): void {
    if (this.#sending !== null) this.#unended.add(this.#sending);
    this.#sending = null;
  }

  #choose(isMissed: (chunk: number) => boolean, elsewhere: ChunkSet): CastItem | null {
    return (
      (this.#mayRepair() ? this.#chooseRepair() : null) ??
      this.#chooseChunk(isMissed, elsewhere) ??
      this.#chooseRepair()
    );
  }

  /** Repairs take their share of the rate and no more, as long as there is something else to send. */
  #mayRepair(): boolean {
    return this.#repairCredit > 0;
  }

  #chooseRepair(): CastItem | null {
    for (const [chunk, blocks] of this.#repairs) {
      if (!this.#held.has(chunk)) continue;
      this.#repairs.delete(chunk);
      for (const { count } of blocks) this.#repairCredit -= count;
      this.#repairCredit = Math.max(this.#repairCredit, -repairCreditMax);
      return { kind: "repair", chunk, blocks };
    }
    return null;
  }

  #chooseChunk(isMissed: (chunk: number) => boolean, elsewhere: ChunkSet): CastItem | null {
    for (const chunk of this.#recast) {
      if (!this.#held.has(chunk)) continue;
      this.#recast.delete(chunk);
      return { kind: "chunk", chunk };
    }
    const alone = this.#nextAlone(isMissed, elsewhere);
    const chunk = alone < 0 ? this.#nextUnsent(isMissed) : alone;
    if (chunk < 0) return null;
    this.#done.add(chunk);
    this.#repairCredit = Math.min(repairCreditMax, this.#repairCredit + chunkRepairCredit);
    return { kind: "chunk", chunk };
  }

  /** Were this device to fall, it would have to cross the WAN again. */
  #nextAlone(isMissed: (chunk: number) => boolean, elsewhere: ChunkSet): number {
    if (elsewhere.isEmpty) return -1;
    const alone = this.#held.clone();
    alone.deleteAll(this.#done);
    alone.deleteAll(elsewhere);
    let chunk = alone.next(0);
    while (chunk >= 0 && !isMissed(chunk)) chunk = alone.next(chunk + 1);
    return chunk;
  }

  #nextUnsent(isMissed: (chunk: number) => boolean): number {
    let chunk = this.#done.nextMissing(0);
    while (chunk >= 0 && !(this.#held.has(chunk) && isMissed(chunk)))
      chunk = this.#done.nextMissing(chunk + 1);
    return chunk;
  }

  /** Is there a chunk here that somebody misses and that was never sent? */
  hasUnsent(isMissed: (chunk: number) => boolean): boolean {
    return this.#nextUnsent(isMissed) >= 0;
  }

  /** Is there something to send now? */
  hasNext(isMissed: (chunk: number) => boolean): boolean {
    const isHeld = (chunk: number): boolean => this.#held.has(chunk);
    return (
      [...this.#repairs.keys()].some(isHeld) ||
      [...this.#recast].some(isHeld) ||
      this.#nextUnsent(isMissed) >= 0
    );
  }

  /** @param extraSymbols for every block, beside what was asked for */
  answer(needs: NeedAnswer, extraSymbols = 0): void {
    for (const [chunk, blocks] of needs.repairs) {
      const counts = new Map(this.#repairs.get(chunk)?.map(({ block, count }) => [block, count]));
      for (const { block, count } of blocks)
        counts.set(block, Math.max(counts.get(block) ?? 0, count + extraSymbols));
      this.#repairs.set(
        chunk,
        [...counts].map(([block, count]) => ({ block, count })),
      );
    }
    this.castAgain(needs.recast);
  }

  castAgain(chunks: Iterable<number>): void {
    for (const chunk of chunks) {
      this.#repairs.delete(chunk);
      this.#recast.add(chunk);
    }
  }

  /** Chunks asked for that this device does not hold itself. */
  owed(): number[] {
    return [...this.#repairs.keys(), ...this.#recast].filter((chunk) => !this.#held.has(chunk));
  }

  /** Was it sent, by this device or one that led before? */
  isCast(chunk: number): boolean {
    return this.#done.has(chunk);
  }

  get castCount(): number {
    return this.#done.count;
  }

  get hasUnended(): boolean {
    return !this.#unended.isEmpty;
  }

  get isSending(): boolean {
    return this.#sending !== null;
  }

  /** Nothing is being sent, waits to be sent or waits for its END; what this device lacks itself does not count. */
  get isQuiet(): boolean {
    return (
      this.#sending === null && this.#unended.isEmpty && this.#repairs.size === 0 && this.#recast.isEmpty
    );
  }

  /** Ranges for the next END, at most `rangesMax`; what does not fit stays for the one after. */
  takeUnended(rangesMax: number): Ranges {
    const ranges = this.#unended.toRanges(rangesMax);
    this.#unended.deleteAll(ChunkSet.fromRanges(this.#unended.size, ranges)!);
    return ranges;
  }
}
