/**
 * Random numbers of one fuzz case: the same seed and case number give the same ones, so that a case can be run again alone.
 */

const golden = 0x9e37_79b9;

/** Mixes all bits of a 32-bit number (Murmur3's finalizer). */
function mixed(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

export class Dice {
  #state: number;

  constructor(seed: number, number: number) {
    this.#state = mixed(mixed(seed + golden) ^ mixed(number) ^ Math.floor(number / 0x1_0000_0000));
  }

  /** A whole number from 0 to `below` - 1. */
  int(below: number): number {
    return Math.floor((this.#next() / 0x1_0000_0000) * below);
  }

  /** Once in `of` cases. */
  once(of: number): boolean {
    return this.int(of) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(from.length)]!;
  }

  /** From `min` to `max`, and often one of the two or a neighbour of a power of two. */
  edge(min: number, max: number): number {
    switch (this.int(5)) {
      case 0:
        return min;
      case 1:
        return max;
      case 2:
        return Math.min(max, min + this.int(256));
      case 3:
        return Math.min(max, Math.max(min, 2 ** this.int(53) - this.int(2)));
      default:
        return min + Math.floor((this.#next() / 0x1_0000_0000) * (max - min + 1));
    }
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#next() >>> 24;
    return bytes;
  }

  hex(bytes: number): string {
    return this.bytes(bytes).toHex();
  }

  #next(): number {
    this.#state = (this.#state + golden) >>> 0;
    return mixed(this.#state);
  }
}
