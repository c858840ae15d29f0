/**
 * Lock of the data folder: one agent at a time.
 *
 * The operating system holds the lock, through SQLite on `lock.db`. The lock ends with its process,
 * also after a kill, so no stale lock remains. `lock.pid` only lets an error name the holder.
 */
import { Database } from "bun:sqlite";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { preparePrivateDatabase, writePrivateFileNow } from "../../platform/private-files.ts";
import { asCacheError, CacheError } from "../cache-error.ts";

type FolderLock = { release(): void };

/**
 * @param name of the lock's files: the supervisor of an agent has another lock than the agent
 * @throws CacheError "locked", which names the process that holds the folder; or "io"
 */
export function lockFolder(dir: string, name = "lock"): FolderLock {
  const file = join(dir, `${name}.db`);
  const pidFile = join(dir, `${name}.pid`);
  let database: Database | null = null;
  try {
    // Another user who could read the file could lock it.
    preparePrivateDatabase(file);
    database = new Database(file);
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("BEGIN EXCLUSIVE");
    tryNote(() => writePrivateFileNow(pidFile, `${process.pid}\n`));
  } catch (error) {
    database?.close();
    if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY")) {
      throw new CacheError(
        "locked",
        `The data folder "${dir}" is in use by ${holder(pidFile)}: stop that agent, or give this one another --data folder`,
        { cause: error },
      );
    }
    throw asCacheError(error, "lock", file);
  }
  const held = database;
  return {
    release() {
      tryNote(() => rmSync(pidFile, { force: true }));
      held.close();
    },
  };
}

/** A scanner may have the file with the pid open. Without the file only a message is shorter. */
function tryNote(note: () => void): void {
  try {
    note();
  } catch {}
}

function holder(pidFile: string): string {
  try {
    const pid = readFileSync(pidFile, "utf8").trim();
    if (/^\d{1,10}$/.test(pid)) return `the process with pid ${pid}`;
  } catch {
    // The holder has not written the file yet, or has removed it.
  }
  return "another process";
}
