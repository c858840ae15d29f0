/**
 * Set of chunk numbers of one package, one bit a chunk, with the operations that election, repair
 * and the ledger need.
 *
 * Numbers from outside enter through `fromRanges`, which checks them, so no frame can make the set
 * grow beyond the package.
 */

/** Ranges as a flat list: [first, count, first, count, …], ascending and without overlap. */
export type Ranges = readonly number[];

/** Returns the number of bits set in a 32-bit word. */
function popCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

export class ChunkSet {
  readonly size: number;
  #words: Uint32Array;
  #count = 0;

  /** @param size number of chunks of the package; members are 0 … size - 1 */
  constructor(size: number) {
    this.size = size;
    this.#words = new Uint32Array((size + 31) >>> 5);
  }

  static full(size: number): ChunkSet {
    return ChunkSet.fromRanges(size, size === 0 ? [] : [0, size])!;
  }

  /** Returns the set of `ranges`; null when they descend, overlap or leave the package. */
  static fromRanges(size: number, ranges: Ranges): ChunkSet | null {
    const set = new ChunkSet(size);
    if (ranges.length % 2 !== 0) return null;
    let end = 0;
    for (let i = 0; i < ranges.length; i += 2) {
      const first = ranges[i]!;
      const count = ranges[i + 1]!;
      if (
        !Number.isInteger(first) ||
        !Number.isInteger(count) ||
        first < end ||
        count < 1 ||
        count > size - first
      )
        return null;
      end = first + count;
      set.#fill(first, count);
    }
    return set;
  }

  /** Adds `count` chunks from `first` on, none of which is a member yet. */
  #fill(first: number, count: number): void {
    const end = first + count;
    for (let chunk = first; chunk < end; chunk = (chunk | 31) + 1) {
      const bits = Math.min(32 - (chunk & 31), end - chunk);
      this.#words[chunk >>> 5]! |= (0xffff_ffff >>> (32 - bits)) << (chunk & 31);
    }
    this.#count += count;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.size;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  has(chunk: number): boolean {
    return chunk >= 0 && chunk < this.size && (this.#words[chunk >>> 5]! & (1 << (chunk & 31))) !== 0;
  }

  /**
   * Returns whether the chunk was added; false for a member and for a chunk outside the package.
   */
  add(chunk: number): boolean {
    if (chunk < 0 || chunk >= this.size || this.has(chunk)) return false;
    this.#words[chunk >>> 5]! |= 1 << (chunk & 31);
    this.#count++;
    return true;
  }

  /** Returns whether the chunk was a member. */
  delete(chunk: number): boolean {
    if (!this.has(chunk)) return false;
    this.#words[chunk >>> 5]! &= ~(1 << (chunk & 31));
    this.#count--;
    return true;
  }

  /** Returns the smallest member that is at least `from`, or -1. */
  next(from: number): number {
    return this.#scan(from, 0);
  }

  /** Returns the smallest number that is at least `from` and not a member, or -1. */
  nextMissing(from: number): number {
    return this.#scan(from, 0xffff_ffff);
  }

  #scan(from: number, flip: number): number {
    let chunk = Math.max(0, from);
    while (chunk < this.size) {
      const rest = ((this.#words[chunk >>> 5]! ^ flip) >>> (chunk & 31)) >>> 0;
      if (rest !== 0) {
        const found = chunk + 31 - Math.clz32(rest & -rest);
        return found < this.size ? found : -1;
      }
      chunk = (chunk | 31) + 1;
    }
    return -1;
  }

  /** One more than the largest member; 0 for an empty set. */
  get end(): number {
    for (let i = this.#words.length - 1; i >= 0; i--)
      if (this.#words[i] !== 0) return i * 32 + 32 - Math.clz32(this.#words[i]!);
    return 0;
  }

  clone(): ChunkSet {
    const copy = new ChunkSet(this.size);
    copy.#words.set(this.#words);
    copy.#count = this.#count;
    return copy;
  }

  complement(): ChunkSet {
    const result = new ChunkSet(this.size);
    for (let i = 0; i < this.#words.length; i++) result.#words[i] = ~this.#words[i]!;
    // The last word has bits beyond the last chunk.
    const unusedBits = result.#words.length * 32 - this.size;
    if (unusedBits > 0) result.#words[result.#words.length - 1]! &= 0xffff_ffff >>> unusedBits;
    result.#count = this.size - this.#count;
    return result;
  }

  /** @param other set of the same package */
  addAll(other: ChunkSet): void {
    const words = Math.min(this.#words.length, other.#words.length);
    for (let i = 0; i < words; i++) {
      const added = (other.#words[i]! & ~this.#words[i]!) >>> 0;
      if (added === 0) continue;
      this.#words[i]! |= added;
      this.#count += popCount(added);
    }
  }

  /** @param other set of the same package */
  deleteAll(other: ChunkSet): void {
    const words = Math.min(this.#words.length, other.#words.length);
    for (let i = 0; i < words; i++) {
      const deleted = (other.#words[i]! & this.#words[i]!) >>> 0;
      if (deleted === 0) continue;
      this.#words[i]! ^= deleted;
      this.#count -= popCount(deleted);
    }
  }

  /** Returns the number of members in both sets. */
  overlap(other: ChunkSet): number {
    let shared = 0;
    const words = Math.min(this.#words.length, other.#words.length);
    for (let i = 0; i < words; i++) shared += popCount((this.#words[i]! & other.#words[i]!) >>> 0);
    return shared;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let chunk = this.next(0); chunk >= 0; chunk = this.next(chunk + 1)) yield chunk;
  }

  /** Returns the members as ranges, at most the first `rangesMax` of them. */
  toRanges(rangesMax = Number.POSITIVE_INFINITY): number[] {
    const ranges: number[] = [];
    let first = this.next(0);
    while (first >= 0 && ranges.length < rangesMax * 2) {
      const missing = this.nextMissing(first);
      const end = missing < 0 ? this.size : missing;
      ranges.push(first, end - first);
      first = this.next(end);
    }
    return ranges;
  }
}
