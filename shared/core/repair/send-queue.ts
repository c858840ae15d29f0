/**
 * Send queue of a representative. The order is:
 * 1. repairs, which complete what peers began (last when their credit is used up)
 * 2. retransmissions
 * 3. sole copies
 * 4. the rest of the package, behind the front of the download
 *
 * A chunk that no listener is missing is not sent. The rate is limited elsewhere (rate/).
 */
import { assert } from "../../model/assert.ts";
import { ChunkSet, type Ranges } from "../../model/chunk-set.ts";
import { limits } from "../../wire/index.ts";
import type { BlockRepair, SendItem, RepairPlan } from "./items.ts";

/**
 * Repair symbols that each first transmission of a chunk allows: 0.3 of the 188 symbols of a chunk
 * of 256 KiB. Longer symbols count as several.
 */
const chunkRepairCredit = 56;
const repairCreditMax = 4_096;

export class SendQueue {
  readonly #held: ChunkSet;
  readonly #sent: ChunkSet;
  readonly #retransmits: ChunkSet;
  readonly #repairs = new Map<number, BlockRepair[]>();
  /** Chunks sent and not yet named by an END. */
  readonly #unreported: ChunkSet;
  /** Chunk in transmission; null: none. */
  #sending: number | null = null;
  /** Repair symbols that may go before first transmissions. */
  #repairCredit = repairCreditMax;

  /**
   * @param held live set of the chunks this device holds
   * @param sentEarlier chunks that an earlier representative of the session sent
   */
  constructor(held: ChunkSet, sentEarlier: ChunkSet) {
    assert(held.size === sentEarlier.size, "chunks that were sent are of another package");
    this.#held = held;
    this.#sent = sentEarlier.clone();
    this.#retransmits = new ChunkSet(held.size);
    this.#unreported = sentEarlier.clone();
  }

  /**
   * Returns the next item to send, or null. The item before counts as sent.
   * @param isMissed whether a listener is missing the chunk
   * @param elsewhere chunks that another device of the subnet holds: they can wait
   */
  next(
    isMissed: (chunk: number) => boolean,
    elsewhere: ChunkSet,
    symbolSizeBytes: number = limits.symbolUsualBytes,
  ): SendItem | null {
    this.idle();
    const item = this.#choose(isMissed, elsewhere);
    if (item?.kind === "repair") this.#spendCredit(item.blocks, symbolSizeBytes);
    assert(item === null || this.#held.has(item.chunk), "a chunk is sent that is not held");
    this.#sending = item?.chunk ?? null;
    return item;
  }

  #spendCredit(blocks: readonly BlockRepair[], symbolSizeBytes: number): void {
    const each = Math.max(1, symbolSizeBytes / limits.symbolUsualBytes);
    for (const { count } of blocks) this.#repairCredit -= count * each;
    this.#repairCredit = Math.max(this.#repairCredit, -repairCreditMax);
  }

  /** Notes that nothing follows now. The item before counts as sent. */
  idle(): void {
    if (this.#sending !== null) this.#unreported.add(this.#sending);
    this.#sending = null;
  }

  #choose(isMissed: (chunk: number) => boolean, elsewhere: ChunkSet): SendItem | null {
    return (
      (this.#mayRepair() ? this.#chooseRepair() : null) ??
      this.#chooseChunk(isMissed, elsewhere) ??
      this.#chooseRepair()
    );
  }

  /**
   * Whether repairs have credit left: while first transmissions wait, repairs get a share of the
   * rate only.
   */
  #mayRepair(): boolean {
    return this.#repairCredit > 0;
  }

  #chooseRepair(): SendItem | null {
    for (const [chunk, blocks] of this.#repairs) {
      if (!this.#held.has(chunk)) continue;
      this.#repairs.delete(chunk);
      return { kind: "repair", chunk, blocks };
    }
    return null;
  }

  #chooseChunk(isMissed: (chunk: number) => boolean, elsewhere: ChunkSet): SendItem | null {
    for (const chunk of this.#retransmits) {
      if (!this.#held.has(chunk)) continue;
      this.#retransmits.delete(chunk);
      return { kind: "chunk", chunk };
    }
    const soleCopy = this.#nextSoleCopy(isMissed, elsewhere);
    const chunk = soleCopy < 0 ? this.#nextUnsent(isMissed) : soleCopy;
    if (chunk < 0) return null;
    this.#sent.add(chunk);
    this.#repairCredit = Math.min(repairCreditMax, this.#repairCredit + chunkRepairCredit);
    return { kind: "chunk", chunk };
  }

  /**
   * Returns a chunk that no other device holds, or -1. After a failover it would cross the WAN
   * again.
   */
  #nextSoleCopy(isMissed: (chunk: number) => boolean, elsewhere: ChunkSet): number {
    if (elsewhere.isEmpty) return -1;
    const soleCopies = this.#held.clone();
    soleCopies.deleteAll(this.#sent);
    soleCopies.deleteAll(elsewhere);
    let chunk = soleCopies.next(0);
    while (chunk >= 0 && !isMissed(chunk)) chunk = soleCopies.next(chunk + 1);
    return chunk;
  }

  #nextUnsent(isMissed: (chunk: number) => boolean): number {
    let chunk = this.#sent.nextMissing(0);
    while (chunk >= 0 && !(this.#held.has(chunk) && isMissed(chunk)))
      chunk = this.#sent.nextMissing(chunk + 1);
    return chunk;
  }

  /** Whether a chunk held here was never sent and is missing at a listener. */
  hasUnsent(isMissed: (chunk: number) => boolean): boolean {
    return this.#nextUnsent(isMissed) >= 0;
  }

  /** Whether there is something to send now. */
  hasNext(isMissed: (chunk: number) => boolean): boolean {
    const isHeld = (chunk: number): boolean => this.#held.has(chunk);
    return (
      [...this.#repairs.keys()].some(isHeld) ||
      [...this.#retransmits].some(isHeld) ||
      this.#nextUnsent(isMissed) >= 0
    );
  }

  /** @param extraSymbols repair symbols per block in addition to those asked for */
  addRepairs(plan: RepairPlan, extraSymbols = 0): void {
    for (const [chunk, blocks] of plan.repairs) {
      const counts = new Map(this.#repairs.get(chunk)?.map(({ block, count }) => [block, count]));
      for (const { block, count } of blocks)
        counts.set(block, Math.max(counts.get(block) ?? 0, count + extraSymbols));
      this.#repairs.set(
        chunk,
        [...counts].map(([block, count]) => ({ block, count })),
      );
    }
    this.retransmit(plan.retransmit);
  }

  retransmit(chunks: Iterable<number>): void {
    for (const chunk of chunks) {
      this.#repairs.delete(chunk);
      this.#retransmits.add(chunk);
    }
  }

  /** Forgets repair symbols that wait to be sent: their size has changed. */
  forgetSymbols(): void {
    this.#repairs.clear();
  }

  /** Forgets repairs and retransmissions: no device is left that is missing chunks. */
  forgetLosses(): void {
    this.#repairs.clear();
    if (!this.#retransmits.isEmpty) this.#retransmits.deleteAll(this.#retransmits.clone());
  }

  /** Whether this device or an earlier representative sent the chunk. */
  wasSent(chunk: number): boolean {
    return this.#sent.has(chunk);
  }

  get sentCount(): number {
    return this.#sent.count;
  }

  get hasUnreported(): boolean {
    return !this.#unreported.isEmpty;
  }

  get isSending(): boolean {
    return this.#sending !== null;
  }

  /** Whether nothing is in transmission, waits to be sent, or waits for its END. */
  get isQuiet(): boolean {
    return (
      this.#sending === null &&
      this.#unreported.isEmpty &&
      this.#repairs.size === 0 &&
      this.#retransmits.isEmpty
    );
  }

  /**
   * Removes and returns at most `rangesMax` ranges for the next END; the rest waits for the one
   * after.
   */
  takeUnreported(rangesMax: number): Ranges {
    const ranges = this.#unreported.toRanges(rangesMax);
    assert(ranges.length <= 2 * rangesMax, "an END names more ranges than allowed");
    this.#unreported.deleteAll(ChunkSet.fromRanges(this.#unreported.size, ranges)!);
    return ranges;
  }
}
