/**
 * Time for tests and simulations: events in the order of their time, and of their making where the time is the same;
 * and random numbers from a seed. The same seed gives the same run, bit for bit.
 */
type Item = { atMs: number; order: number; run: () => void };

export class VirtualClock {
  nowMs = 0;
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

  /** Runs until `until` holds or `limitMs` are over; returns whether it held. */
  run(limitMs: number, until: () => boolean): boolean {
    const endMs = this.nowMs + limitMs;
    while (!until()) {
      const next = this.#items[0];
      if (!next || next.atMs > endMs) {
        this.nowMs = endMs;
        return until();
      }
      this.#drop();
      this.nowMs = next.atMs;
      next.run();
    }
    return true;
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
