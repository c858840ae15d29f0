/**
 * Upkeep of the index of devices: reads it at the start of the source, and what has changed every
 * few seconds, so that requests find little to read.
 */
import type { SourceContext } from "./context.ts";

type UpkeepContext = Pick<SourceContext, "catalog" | "log">;

const everyMs = 5_000;

/** Begins the upkeep. Returns the function that ends it. */
export function startIndexUpkeep({ catalog, log }: UpkeepContext): () => void {
  let isStopped = false;
  const run = async (): Promise<void> => {
    try {
      await catalog.deviceList.scan(null, 0);
    } catch (error) {
      if (!isStopped) log.error({ err: error }, "cannot read the index of devices");
    }
  };
  void run();
  const timer = setInterval(() => void run(), everyMs);
  timer.unref();
  return () => {
    isStopped = true;
    clearInterval(timer);
  };
}
