/**
 * Random numbers of a simulated world: one stream for each concern, all from one seed. Removing a
 * fault or adding a device changes only that stream. A failure therefore stays recognizable while
 * its scenario is reduced.
 */
import { seededRandom, shuffle } from "../model/random.ts";

/** FNV-1a hash, 32 bits. @param start hash of the text before */
export function hashOf(text: string, start = 0x811c_9dc5): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}

export class Random {
  /** Returns a number from 0 up to, not including, 1. */
  readonly next: () => number;

  /** @param name name of the concern, for example "network" or "device 3" */
  constructor(seed: number, name: string) {
    this.next = seededRandom(hashOf(`${seed} ${name}`));
  }

  /** Returns a whole number from `from` to `to`, both included. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)]!;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.next() * 256;
    return bytes;
  }

  /** Shuffles the list in place and returns it. */
  shuffle<T>(list: T[]): T[] {
    return shuffle(list, this.next);
  }
}
