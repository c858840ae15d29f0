/**
 * Copy of the ledger, made before a new version of the agent opens it. The new version may migrate
 * the ledger to a schema that this one cannot open: the copy then takes its place again.
 */
import { Database } from "bun:sqlite";
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { preparePrivateDatabase } from "../../platform/private-files.ts";
import { CacheError } from "../cache-error.ts";
import { ledgerPath, openLedgerFileReadOnly } from "./ledger-file.ts";

const copyPath = (dir: string): string => `${ledgerPath(dir)}.before-upgrade`;

/**
 * Copies the ledger of an agent that is stopped. The copy is one file, also where SQLite left a
 * WAL. Synced when it returns.
 * @param dir the agent's data folder
 * @throws Error of SQLite or the file system
 */
export function copyLedger(dir: string): void {
  const draft = `${copyPath(dir)}.new`;
  for (const path of [draft, copyPath(dir)]) rmSync(path, { force: true });
  // The ledger contains the device's credential.
  preparePrivateDatabase(draft);
  const database = new Database(ledgerPath(dir));
  try {
    database.run("VACUUM INTO ?", [draft]);
  } finally {
    database.close();
  }
  const file = openSync(draft, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, copyPath(dir));
}

/**
 * Puts the copy back if this version cannot open the ledger.
 * @returns whether it did
 */
export function restoreLedger(dir: string): boolean {
  if (!existsSync(copyPath(dir)) || !isOfLaterVersion(dir)) return false;
  for (const part of ["-wal", "-shm"]) rmSync(`${ledgerPath(dir)}${part}`, { force: true });
  renameSync(copyPath(dir), ledgerPath(dir));
  return true;
}

function isOfLaterVersion(dir: string): boolean {
  try {
    openLedgerFileReadOnly(dir).close();
    return false;
  } catch (error) {
    return error instanceof CacheError && error.code === "newer-version";
  }
}

export const removeLedgerCopy = (dir: string): void => rmSync(copyPath(dir), { force: true });
