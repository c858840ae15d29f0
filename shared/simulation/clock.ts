/**
 * Virtual time: events in the order of their time, and in the order of their creation where the time is the same. After
 * each event every pending promise reaction runs before the next event, so that asynchronous code is as deterministic as
 * synchronous code. That holds as long as the code under test waits for nothing but its ports.
 */
import { drainMicrotasks } from "bun:jsc";

type Item = { atMs: number; order: number; run: () => void };

export class VirtualClock {
  nowMs = 0;
  /** Called when an event and all its promise reactions are over. */
  onSettled: () => void = () => {};
  /** A binary heap. */
  readonly #items: Item[] = [];
  #order = 0;

  at(delayMs: number, run: () => void): void {
    const item = { atMs: this.nowMs + delayMs, order: this.#order++, run };
    this.#items.push(item);
    let at = this.#items.length - 1;
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(item, this.#items[parent]!); parent = (at - 1) >> 1) {
      this.#items[at] = this.#items[parent]!;
      at = parent;
    }
    this.#items[at] = item;
  }

  /** Runs until `until` holds or `limitMs` have passed; returns whether it held. */
  run(limitMs: number, until: () => boolean): boolean {
    const endMs = this.nowMs + limitMs;
    this.#settle();
    while (!until()) {
      const next = this.#items[0];
      if (!next || next.atMs > endMs) {
        this.nowMs = endMs;
        return until();
      }
      this.#drop();
      this.nowMs = next.atMs;
      next.run();
      this.#settle();
    }
    return true;
  }

  #settle(): void {
    drainMicrotasks();
    this.onSettled();
  }

  /** Removes the first item. */
  #drop(): void {
    const last = this.#items.pop()!;
    if (this.#items.length === 0) return;
    let at = 0;
    for (let child = 1; child < this.#items.length; child = at * 2 + 1) {
      if (child + 1 < this.#items.length && isBefore(this.#items[child + 1]!, this.#items[child]!)) child++;
      if (!isBefore(this.#items[child]!, last)) break;
      this.#items[at] = this.#items[child]!;
      at = child;
    }
    this.#items[at] = last;
  }
}

const isBefore = (a: Item, b: Item): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
