/** Opens the distribution cache on the operating system's files, with the ledger in SQLite. */
import { join } from "node:path";
import { ensurePrivateFolder, narrowFiles } from "../../platform/private-files.ts";
import { asCacheError } from "../cache-error.ts";
import { DistributionCache, type CacheOptions } from "../distribution-cache.ts";
import type { Ledger } from "../ledger.ts";
import { lockFolder } from "./folder-lock.ts";
import { openLedger } from "./ledger-sqlite.ts";
import { systemFiles } from "./system-files.ts";

/** Files by which a data folder is known. /var has folders "cache" and "log" too. */
const ownNames = ["ledger.db", "lock.db", "machine.id", "log/flockcast-peer.log"];

/**
 * Creates the data folder of an agent and the folder of its cache, for the agent's user alone.
 * @throws CacheError "unsafe" when other users can change what is in it; or "io"
 */
export async function prepareDataFolder(dir: string): Promise<void> {
  try {
    await ensurePrivateFolder(dir, "data folder", ownNames);
    await ensurePrivateFolder(join(dir, "cache"), "folder of the cache");
    narrowFiles(dir);
  } catch (error) {
    throw asCacheError(error, "use the data folder", dir);
  }
}

/**
 * Locks the folder, rebuilds a damaged ledger, and makes ledger and disk agree.
 * @throws CacheError; "locked" when another process uses the folder
 */
export async function openCache(options: CacheOptions): Promise<DistributionCache> {
  await prepareDataFolder(options.dir);
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
