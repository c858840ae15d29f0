/** What every test of the cache opens it with. */
import type { CacheOptions } from "./distribution-cache.ts";

export const cacheOptions = (dir: string, changes: Partial<CacheOptions> = {}): CacheOptions => ({
  dir,
  maxBytes: null,
  maxAgeMs: null,
  nowMs: Date.now,
  log: () => {},
  ...changes,
});
