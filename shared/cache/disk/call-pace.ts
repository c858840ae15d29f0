/**
 * Calls of the file system that open, close and look at files: synchronous while the disk is fast,
 * because waking a thread takes several times as long as the call. After a slow call the next ones
 * are asynchronous. A series of synchronous calls lets the event loop run every few milliseconds.
 */

/** A synchronous call that takes longer waited for the disk. */
const slowCallMs = 10;
/** Number of calls that are asynchronous after a slow one. */
const asyncCallsCount = 64;
/** Time of synchronous calls in one turn of the event loop. */
const turnMs = 10;

export class CallPace {
  /** Number of the next calls that are asynchronous. */
  asyncCalls = 0;
  #turn: { readonly beganAtMs: number; readonly ended: Promise<void> } | null = null;

  /** @param later the same call, made by a thread */
  async call<T>(now: () => T, later: () => Promise<T>): Promise<T> {
    for (let { beganAtMs, ended } = this.#currentTurn(); performance.now() > beganAtMs + turnMs;) {
      await ended;
      ({ beganAtMs, ended } = this.#currentTurn());
    }
    if (this.asyncCalls > 0) {
      this.asyncCalls--;
      return later();
    }
    const startedMs = performance.now();
    try {
      return now();
    } finally {
      if (performance.now() - startedMs > slowCallMs) this.asyncCalls = asyncCallsCount;
    }
  }

  #currentTurn(): { readonly beganAtMs: number; readonly ended: Promise<void> } {
    return (this.#turn ??= {
      beganAtMs: performance.now(),
      ended: new Promise((resolve) =>
        setImmediate(() => {
          this.#turn = null;
          resolve();
        }),
      ),
    });
  }
}
