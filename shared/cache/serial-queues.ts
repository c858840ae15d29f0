/** Queues by number: actions of one number run one after the other, actions of different numbers at the same time. */
export class SerialQueues {
  /** The last action of each queue that is not empty; never rejects. */
  readonly #last = new Map<number, Promise<void>>();

  /** Runs the action when those before it have ended, whatever their outcome. */
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

  /** Resolves when every action that was given before has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
