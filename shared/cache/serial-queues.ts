/** Numbered queues: the actions of one queue run in order, those of different queues at once. */
export class SerialQueues {
  /** Last action of each queue that is not empty; never rejects. */
  readonly #last = new Map<number, Promise<void>>();

  /** Runs the action once the earlier actions of its queue have ended, failed ones included. */
  run<T>(queue: number, action: () => Promise<T>): Promise<T> {
    const before = this.#last.get(queue);
    const result = before ? before.then(action) : action();
    const settled = result.then(
      () => {},
      () => {},
    );
    this.#last.set(queue, settled);
    void settled.then(() => {
      if (this.#last.get(queue) === settled) this.#last.delete(queue);
    });
    return result;
  }

  /** Resolves when all actions queued before the call have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
