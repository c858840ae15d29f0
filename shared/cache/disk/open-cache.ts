/** Opens the distribution cache on the operating system's files, with the ledger in SQLite. */
import { mkdir } from "node:fs/promises";
import { asCacheError } from "../cache-error.ts";
import { DistributionCache, type CacheOptions } from "../distribution-cache.ts";
import type { Ledger } from "../ledger.ts";
import { lockFolder } from "./folder-lock.ts";
import { openLedger } from "./ledger-sqlite.ts";
import { systemFiles } from "./system-files.ts";

/**
 * Locks the folder, rebuilds a damaged ledger, and makes ledger and disk agree.
 * @throws CacheError; "locked" when another process uses the folder
 */
export async function openCache(options: CacheOptions): Promise<DistributionCache> {
  await mkdir(options.dir, { recursive: true }).catch((error: unknown) => {
    throw asCacheError(error, "make the data folder", options.dir);
  });
  const lock = lockFolder(options.dir);
  let ledger: Ledger | null = null;
  try {
    ledger = openLedger(options.dir, () => options.clock.wallMs(), options.log);
    const parts = { files: systemFiles(), ledger, unlock: () => lock.release() };
    const cache = new DistributionCache(options, parts);
    await cache.reconcile();
    return cache;
  } catch (error) {
    ledger?.close();
    lock.release();
    throw error;
  }
}
