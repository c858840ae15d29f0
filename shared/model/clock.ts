/**
 * Time as a parameter, so that every wait of a device can be replayed. The agent passes the
 * system's clock (shared/platform/system-clock.ts), the simulator a virtual one.
 */
export type Clock = {
  /**
   * Monotonic milliseconds from an arbitrary origin. Some systems count the time that the device
   * sleeps, others do not.
   */
  nowMs(): number;
  /** Milliseconds since 1970 (UTC). May be set back or forward at any time. */
  wallMs(): number;
  /** Runs `run` once after `delayMs`. Returns the function that cancels the timer. */
  after(delayMs: number, run: () => void): () => void;
};

/** Resolves after `delayMs`. Rejects with the signal's reason when it is aborted before. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = (): void => {
      cancel();
      reject(signal!.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Runs `run` every `everyMs`, first after `everyMs`. Returns the function that stops it. */
export function repeat(clock: Clock, everyMs: number, run: () => void): () => void {
  let cancel = clock.after(everyMs, tick);
  function tick(): void {
    cancel = clock.after(everyMs, tick);
    run();
  }
  return () => cancel();
}
