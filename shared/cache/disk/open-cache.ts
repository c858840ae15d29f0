/** The distribution cache in a folder of the operating system: one process at a time, with the ledger in SQLite. */
import { mkdir } from "node:fs/promises";
import { asCacheError } from "../cache-error.ts";
import { DistributionCache, type CacheOptions } from "../distribution-cache.ts";
import type { Ledger } from "../ledger.ts";
import { lockFolder } from "./folder-lock.ts";
import { openLedger } from "./ledger-sqlite.ts";
import { systemFiles } from "./system-files.ts";

/** Takes the folder, rebuilds what is damaged, and makes ledger and disk agree. @throws CacheError */
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
