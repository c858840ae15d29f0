/**
 * Virtual time: events run by time, and events of one time in the order of their creation.
 *
 * The clock drains the microtask queue after each event, so that asynchronous code is as
 * deterministic as synchronous code. The code under test must wait for nothing but its ports: a
 * promise that the operating system settles would depend on real time.
 */
import { drainMicrotasks } from "bun:jsc";

type Item = { atMs: number; order: number; run: () => void };

export class VirtualClock {
  nowMs = 0;
  /** Called after an event and all its promise reactions. */
  onSettled: () => void = () => {};
  /** Binary heap, the earliest event first. */
  readonly #items: Item[] = [];
  #order = 0;

  /** Runs `run` after `delayMs` of virtual time. */
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

  /** Runs events until `until` holds or `limitMs` have passed; returns whether it held. */
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

  /** Removes the earliest event from the heap. */
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
