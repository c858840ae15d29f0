/**
 * Calls of the file system that open, write, close and look at files: synchronous while the disk is
 * fast, because waking a thread takes several times as long as the call. After a slow call the next
 * ones are asynchronous. A series of synchronous calls lets the event loop run every few
 * milliseconds.
 */

/** A synchronous call that takes longer waited for the disk. */
const slowCallMs = 20;
/** Number of calls that are asynchronous after a slow one; doubled by each further slow one. */
const asyncCallsMin = 32;
const asyncCallsMax = 1_024;
/** Time of synchronous calls in one turn of the event loop. */
const turnMs = 10;

type Turn = { readonly beganAtMs: number; readonly ended: Promise<void> };

export class CallPace {
  /** Number of the next calls that are asynchronous. */
  #asyncCalls = 0;
  #asyncCallsNext = asyncCallsMin;
  #turn: Turn | null = null;

  /** @param later the same call, made by a thread */
  async call<T>(now: () => T, later: () => Promise<T>): Promise<T> {
    let turn = this.#currentTurn();
    while (performance.now() > turn.beganAtMs + turnMs) {
      await turn.ended;
      turn = this.#currentTurn();
    }
    if (this.#asyncCalls > 0) {
      this.#asyncCalls--;
      return later();
    }
    const startedMs = performance.now();
    try {
      return now();
    } finally {
      this.#took(performance.now() - startedMs);
    }
  }

  /** Makes the next call asynchronous, because it is known to take time. */
  nextIsSlow(): void {
    this.#asyncCalls = Math.max(this.#asyncCalls, 1);
  }

  #took(durationMs: number): void {
    if (durationMs <= slowCallMs) this.#asyncCallsNext = asyncCallsMin;
    else {
      this.#asyncCalls = this.#asyncCallsNext;
      this.#asyncCallsNext = Math.min(asyncCallsMax, 2 * this.#asyncCallsNext);
    }
  }

  #currentTurn(): Turn {
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
