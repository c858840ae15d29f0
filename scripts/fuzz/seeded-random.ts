/**
 * Random values of one fuzz case. A seed and a case number always give the same values, so one case
 * can be run again on its own. The generator is that of `shared/model/random.ts`.
 */
import { seededRandom } from "../../shared/model/random.ts";

const golden = 0x9e37_79b9;

/** Mixes all bits of a 32-bit number (finalizer of MurmurHash3). */
function mixed(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

export class SeededRandom {
  readonly #next: () => number;

  /** @param number of the case, up to 2^53; neighbouring cases draw unrelated values */
  constructor(seed: number, number: number) {
    this.#next = seededRandom(
      mixed(mixed(seed + golden) ^ mixed(number) ^ Math.floor(number / 0x1_0000_0000)),
    );
  }

  /** Returns a whole number from 0 to `below` - 1. */
  int(below: number): number {
    return Math.floor(this.#next() * below);
  }

  /** Returns true with a probability of 1 in `of`. */
  oneIn(of: number): boolean {
    return this.int(of) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(from.length)]!;
  }

  /** Returns a number from `min` to `max`: often a bound, a power of two, or one below a power. */
  edgeValue(min: number, max: number): number {
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
        return min + Math.floor(this.#next() * (max - min + 1));
    }
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#next() * 256;
    return bytes;
  }

  hex(bytes: number): string {
    return this.bytes(bytes).toHex();
  }
}
