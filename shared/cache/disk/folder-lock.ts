/**
 * One agent per data folder.
 *
 * The lock is the operating system's own, held through SQLite on `lock.db`, so it ends with the process however that
 * dies, and no stale lock has to be guessed at. `lock.pid` is only there so that an error can name the holder.
 */
import { Database } from "bun:sqlite";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asCacheError, CacheError } from "../cache-error.ts";

export type FolderLock = { release(): void };

/** @throws CacheError "locked", naming the process that holds the folder. */
export function lockFolder(dir: string): FolderLock {
  const file = join(dir, "lock.db");
  const pidFile = join(dir, "lock.pid");
  let database: Database | null = null;
  try {
    database = new Database(file, { create: true });
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("BEGIN EXCLUSIVE");
    writeFileSync(pidFile, `${process.pid}\n`);
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
      rmSync(pidFile, { force: true });
      held.close();
    },
  };
}

function holder(pidFile: string): string {
  try {
    const pid = readFileSync(pidFile, "utf8").trim();
    if (/^\d{1,10}$/.test(pid)) return `the process with pid ${pid}`;
  } catch {
    // Between taking the lock and writing the file, or just removed.
  }
  return "another process";
}
