/**
 * Random numbers of a simulated world: one stream for each concern, all from one seed. Switching a fault off, or adding a
 * device, changes only the streams concerned, so that a failure stays recognisable while its scenario is made smaller.
 */
import { seededRandom, shuffle } from "../model/random.ts";

/** FNV-1a, 32 bits. */
export function hashOf(text: string, start = 0x811c_9dc5): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}

export class Random {
  /** 0 … 1, 1 excluded */
  readonly next: () => number;

  /** @param name of the concern, for example "network" or "device 3" */
  constructor(seed: number, name: string) {
    this.next = seededRandom(hashOf(`${seed} ${name}`));
  }

  /** A whole number from … to, both included. */
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

  /** In place. */
  shuffle<T>(list: T[]): T[] {
    return shuffle(list, this.next);
  }
}
