/** What every test of the cache opens it with. */
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

/** The system's clock with another time of day. */
export const clockAt = (wallMs: () => number): CacheOptions["clock"] => ({ ...systemClock, wallMs });
