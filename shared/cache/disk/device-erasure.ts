/**
 * Takes the device out of its ledger, and leaves the packages: identity, settings, signed
 * statements, keys, tasks and pins go, as a copy of the ledger will be that of another device.
 */
import { existsSync } from "node:fs";
import { asCacheError, CacheError, type CacheLog } from "../cache-error.ts";
import { ledgerPath, openLedgerFile } from "./ledger-file.ts";

/**
 * Ages begin again with the first contact to the source, because an image may be old. The bytes of
 * a copy came from the cache, by no network.
 */
const statements = [
  "DELETE FROM facts",
  "DELETE FROM tasks",
  "DELETE FROM pins",
  "UPDATE packages SET unused_since = NULL",
  "UPDATE chunks SET origin = 'cache', receipts = 1",
] as const;

/**
 * Erases the device in one transaction: a power cut leaves the whole device or nothing of it. No
 * byte of it is left in the files of the ledger. The caller holds the lock of the folder.
 * @param dir the agent's data folder; without a ledger nothing happens
 * @throws CacheError "newer-version", "disk-full" or "io"; "in-use" while a program reads the ledger
 */
export function eraseDevice(dir: string, log: CacheLog): void {
  const file = ledgerPath(dir);
  if (!existsSync(file)) return;
  const database = openLedgerFile(dir, log);
  try {
    database.run("PRAGMA synchronous = FULL");
    database.transaction(() => {
      for (const statement of statements) database.run(statement);
    })();
    const cleared = database.query<{ busy: number }, []>("PRAGMA wal_checkpoint(TRUNCATE)").get();
    if (cleared?.busy !== 0)
      throw new CacheError("in-use", `Another program reads "${file}": end it, then run this again`);
  } catch (error) {
    throw asCacheError(error, "erase the device in", file);
  } finally {
    database.close();
  }
}
