/** Options of the cache in tests. */
import { systemClock } from "../platform/system-clock.ts";
import type { CacheOptions } from "./distribution-cache.ts";

export const cacheOptions = (dir: string, changes: Partial<CacheOptions> = {}): CacheOptions => ({
  dir,
  maxBytes: null,
  maxAgeMs: null,
  clock: systemClock,
  log: () => {},
  ...changes,
});

/** Returns the system's clock with another wall clock. */
export const clockAt = (wallMs: () => number): CacheOptions["clock"] => ({ ...systemClock, wallMs });
