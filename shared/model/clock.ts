/**
 * Time as a parameter. The agent passes the system's clock (shared/platform/system-clock.ts), the simulator a virtual
 * one, so that every wait of a device can be replayed.
 */
export type Clock = {
  /** Monotonic milliseconds from an arbitrary origin. Continues while the device sleeps only where the system's does. */
  nowMs(): number;
  /** Milliseconds since 1970 (UTC). May be set back or forward at any time. */
  wallMs(): number;
  /** Runs `run` once after `delayMs`. Returns a function that cancels it; cancelling late has no effect. */
  after(delayMs: number, run: () => void): () => void;
};

/** Resolves after `delayMs`. @throws the signal's reason when it is aborted before */
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

/** Runs `run` every `everyMs`, first after `everyMs`, until the returned function is called. */
export function repeat(clock: Clock, everyMs: number, run: () => void): () => void {
  let cancel = clock.after(everyMs, tick);
  function tick(): void {
    cancel = clock.after(everyMs, tick);
    run();
  }
  return () => cancel();
}
