/**
 * Opens `ledger.db`: its schema, its migrations, and the recovery of a damaged file.
 *
 * SQLite runs with a WAL and synchronous=NORMAL: a killed process loses nothing, a power cut at
 * most the last transactions. A lost row only means that a chunk is fetched again, because bytes
 * reach the disk before the ledger lists them. Identity, tasks and completion must not be lost, and
 * are written with synchronous=FULL (ledger-sqlite.ts).
 */
import { Database } from "bun:sqlite";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { preparePrivateDatabase } from "../../platform/private-files.ts";
import { asCacheError, CacheError, type CacheLog } from "../cache-error.ts";

/** SQL of each schema version, in order. A released step is never edited. */
export const migrations: readonly string[] = [
  `CREATE TABLE packages (
     key INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     name TEXT NOT NULL COLLATE NOCASE,
     version TEXT NOT NULL COLLATE NOCASE,
     size_bytes INTEGER NOT NULL,
     chunk_size_bytes INTEGER NOT NULL,
     chunk_count INTEGER NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('partial', 'complete')),
     added_at INTEGER NOT NULL,
     completed_at INTEGER,
     last_used_at INTEGER NOT NULL,
     stamp TEXT,
     unused_since INTEGER,
     UNIQUE (name, version)
   ) STRICT;
   CREATE TABLE chunks (
     package INTEGER NOT NULL REFERENCES packages (key) ON DELETE CASCADE,
     chunk INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     origin TEXT NOT NULL CHECK (origin IN ('wan', 'multicast', 'peers', 'cache')),
     receipts INTEGER NOT NULL,
     verified_at INTEGER NOT NULL,
     PRIMARY KEY (package, chunk)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE pins (
     package INTEGER NOT NULL REFERENCES packages (key) ON DELETE CASCADE,
     task_id INTEGER NOT NULL,
     PRIMARY KEY (package, task_id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE tasks (task_id INTEGER PRIMARY KEY, state TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT;
   CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
];

/** Time that a write waits for another process. */
export const busyTimeoutMs = 5_000;

/** Damaged files that are kept: the first ones and the last one. */
const damagedMax = 3;

export const ledgerPath = (dir: string): string => join(dir, "ledger.db");

/** Rows that are copied out of a damaged ledger if they can be read. */
type Salvage = {
  facts: { name: string; value: string }[];
  tasks: { task_id: number; state: string; updated_at: number }[];
};

/**
 * Opens the ledger for its one writer. Renames a damaged file and creates a new one.
 * @throws CacheError "newer-version", "disk-full" or "io"
 */
export function openLedgerFile(dir: string, log: CacheLog): Database {
  const file = ledgerPath(dir);
  try {
    // The ledger contains the device's credential. SQLite gives the WAL the same mode.
    preparePrivateDatabase(file);
    return openChecked(file);
  } catch (error) {
    const failure = asCacheError(error, "open", file);
    if (failure.code !== "damaged") throw failure;
  }
  const saved = salvage(file);
  const renamed = renameDamaged(file);
  log({
    level: "error",
    event: "ledger-damaged",
    message:
      `The ledger "${file}" is damaged and was moved to "${renamed}". A new one is built from the files on disk; ` +
      (saved.facts.length > 0 ? "the enrolment was saved" : "the enrolment is lost: enrol this device again"),
  });
  const database = openChecked(file);
  restore(database, saved);
  return database;
}

/** @throws CacheError "no-ledger", "newer-version", "damaged" or "io" */
export function openLedgerFileReadOnly(dir: string): Database {
  const file = ledgerPath(dir);
  if (!existsSync(file)) {
    throw new CacheError(
      "no-ledger",
      `There is no ledger at "${file}": give the --data folder of an agent that has run before`,
    );
  }
  try {
    const database = new Database(file, { readonly: true, strict: true });
    database.run("PRAGMA busy_timeout = 2000");
    if (versionOf(database, file) === 0) {
      database.close();
      throw new CacheError("no-ledger", `The ledger "${file}" is empty: start the agent once`);
    }
    return database;
  } catch (error) {
    throw asCacheError(error, "read", file);
  }
}

function openChecked(file: string): Database {
  const database = new Database(file, { create: true, strict: true });
  try {
    database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    const found = versionOf(database, file);
    const checked = database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
    if (checked?.quick_check !== "ok") {
      throw new CacheError(
        "damaged",
        `The ledger "${file}" is damaged: ${checked?.quick_check ?? "unreadable"}`,
      );
    }
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = NORMAL");
    database.run("PRAGMA foreign_keys = ON");
    // Keys and commands that were erased leave no bytes in unused parts of the file.
    database.run("PRAGMA secure_delete = ON");
    migrate(database, found, migrations);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Applies the steps after schema version `found`, all in one transaction.
 * @param steps SQL of each schema version, in order
 */
export function migrate(database: Database, found: number, steps: readonly string[]): void {
  database.transaction(() => {
    for (const step of steps.slice(found)) database.run(step);
    database.run(`PRAGMA user_version = ${steps.length}`);
  })();
}

function versionOf(database: Database, file: string): number {
  const found = database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
  if (found > migrations.length) {
    throw new CacheError(
      "newer-version",
      `The ledger "${file}" has schema version ${found}, this program knows ${migrations.length}: run the newer flockcast that made it`,
    );
  }
  return found;
}

function salvage(file: string): Salvage {
  const saved: Salvage = { facts: [], tasks: [] };
  try {
    const database = new Database(file, { readonly: true });
    try {
      saved.facts = readable(database, "SELECT name, value FROM facts ORDER BY name");
      saved.tasks = readable(database, "SELECT task_id, state, updated_at FROM tasks ORDER BY task_id");
    } finally {
      database.close();
    }
  } catch {
    // Unreadable rows are lost; the caller logs it.
  }
  return saved;
}

/** Returns the rows before the first damaged page and those after the last one. */
function readable<T extends object>(database: Database, query: string): T[] {
  const rows = new Map<string, T>();
  for (const order of ["ASC", "DESC"]) {
    try {
      for (const row of database.query<T, []>(`${query} ${order}`).iterate())
        rows.set(JSON.stringify(row), row);
    } catch {
      // The other order reads the rest.
    }
  }
  return [...rows.values()];
}

function restore(database: Database, saved: Salvage): void {
  for (const { name, value } of saved.facts) {
    database.run("INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)", [name, value]);
  }
  for (const { task_id, state, updated_at } of saved.tasks) {
    database.run("INSERT OR IGNORE INTO tasks (task_id, state, updated_at) VALUES (?, ?, ?)", [
      task_id,
      state,
      updated_at,
    ]);
  }
}

function renameDamaged(file: string): string {
  let count = 1;
  while (count < damagedMax && existsSync(`${file}.damaged-${count}`)) count++;
  const renamed = `${file}.damaged-${count}`;
  for (const each of [renamed, `${renamed}-wal`]) rmSync(each, { force: true });
  renameSync(file, renamed);
  // SQLite would apply the old WAL to the new file.
  if (existsSync(`${file}-wal`)) renameSync(`${file}-wal`, `${renamed}-wal`);
  rmSync(`${file}-shm`, { force: true });
  preparePrivateDatabase(file);
  return renamed;
}
