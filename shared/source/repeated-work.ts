/**
 * Work that the source repeats on a timer. The pause grows with the work, so that it takes a
 * bounded share of the time.
 */

type RepeatedWork = {
  readonly run: () => Promise<void>;
  readonly onError: (error: unknown) => void;
  /** Shortest pause, also before the first run. */
  readonly everyMs: number;
  /** Upper bound on the share of the time that the work takes, up to `pauseMsMax`. */
  readonly share: number;
  readonly pauseMsMax?: number;
};

/** Repeats the work from now on. Returns the function that stops this. */
export function repeatWork({
  run,
  onError,
  everyMs,
  share,
  pauseMsMax = Infinity,
}: RepeatedWork): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const runOnce = async (): Promise<void> => {
    const beganMs = performance.now();
    try {
      await run();
    } catch (error) {
      onError(error);
    }
    const tookMs = performance.now() - beganMs;
    const pauseMs = Math.min(Math.max(everyMs, tookMs / share), pauseMsMax);
    if (timer !== null) timer = setTimeout(runOnce, pauseMs).unref();
  };
  timer = setTimeout(runOnce, everyMs).unref();
  return () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
}
