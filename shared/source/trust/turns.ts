/**
 * Turns for changes that read, decide and write across awaits: the next one begins when the one
 * before it has ended, with or without an error.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
