/** Implements the ledger (ledger.ts) in SQLite. */
import type { Database } from "bun:sqlite";
import * as v from "valibot";
import {
  identitySchema,
  type ChunkOrigin,
  type ChunkRow,
  type Identity,
  type Ledger,
  type LedgerPackage,
  type LedgerReader,
  type NewPackage,
  type OriginBytes,
  type PackageHead,
  type PackageState,
  type PackageUse,
  type TaskRow,
} from "../ledger.ts";
import { asCacheError, type CacheLog } from "../cache-error.ts";
import { busyTimeoutMs, openLedgerFile, openLedgerFileReadOnly } from "./ledger-file.ts";

const headColumns = `id, name, version, size_bytes AS sizeBytes, chunk_size_bytes AS chunkSizeBytes,
  chunk_count AS chunkCount, state, last_used_at AS lastUsedAtMs, unused_since AS unusedSinceMs,
  stamp`;
const selectHead = `SELECT ${headColumns} FROM packages`;

class SqliteReader implements LedgerReader {
  protected readonly db: Database;

  constructor(database: Database) {
    this.db = database;
  }

  packages(): LedgerPackage[] {
    const rows = this.db
      .query<Omit<LedgerPackage, "originBytes" | "pinnedBy"> & { key: number }, []>(
        `SELECT p.key, p.id, p.name, p.version, p.size_bytes AS sizeBytes, p.chunk_size_bytes AS chunkSizeBytes,
                p.chunk_count AS chunkCount, p.state, p.last_used_at AS lastUsedAtMs,
                count(c.chunk) AS chunksVerified, coalesce(sum(c.bytes), 0) AS bytesVerified,
                coalesce(max(c.receipts), 0) AS receiptsMax
         FROM packages p LEFT JOIN chunks c ON c.package = p.key GROUP BY p.key ORDER BY p.name, p.version`,
      )
      .all();
    return rows.map(({ key, ...row }) =>
      Object.assign(row, { originBytes: this.#originBytes(key), pinnedBy: this.#pinnedBy(key) }),
    );
  }

  uses(): PackageUse[] {
    return this.db
      .query<Omit<PackageUse, "pinnedBy"> & { pins: string | null }, []>(
        `SELECT ${headColumns},
                CASE state WHEN 'complete' THEN size_bytes
                ELSE (SELECT coalesce(sum(bytes), 0) FROM chunks WHERE package = key) END AS bytesVerified,
                (SELECT group_concat(task_id) FROM pins WHERE package = key) AS pins
         FROM packages ORDER BY name, version`,
      )
      .all()
      .map(({ pins, ...row }) => Object.assign(row, { pinnedBy: pins?.split(",").map(Number) ?? [] }));
  }

  package(id: string): PackageHead | null {
    return this.db.query<PackageHead, [string]>(`${selectHead} WHERE id = ?`).get(id);
  }

  packageNamed(name: string, version: string): PackageHead | null {
    return this.db
      .query<PackageHead, [string, string]>(`${selectHead} WHERE name = ? AND version = ?`)
      .get(name, version);
  }

  versionsOf(name: string): PackageHead[] {
    return this.db.query<PackageHead, [string]>(`${selectHead} WHERE name = ?`).all(name);
  }

  #pinnedBy(key: number): number[] {
    return this.db
      .query<{ task_id: number }, [number]>("SELECT task_id FROM pins WHERE package = ? ORDER BY task_id")
      .all(key)
      .map((pin) => pin.task_id);
  }

  #originBytes(key: number): OriginBytes {
    const bytes: OriginBytes = { wan: 0, multicast: 0, peers: 0, cache: 0 };
    const rows = this.db
      .query<{ origin: ChunkOrigin; total: number }, [number]>(
        "SELECT origin, sum(bytes) AS total FROM chunks WHERE package = ? GROUP BY origin",
      )
      .all(key);
    for (const { origin, total } of rows) bytes[origin] = total;
    return bytes;
  }

  tasks(): TaskRow[] {
    return this.db
      .query<{ task_id: number; state: string; updated_at: number }, []>(
        "SELECT task_id, state, updated_at FROM tasks ORDER BY task_id",
      )
      .all()
      .map((row) => ({ taskId: row.task_id, state: parsedJson(row.state), updatedAtMs: row.updated_at }));
  }

  identity(): Identity | null {
    const row = this.db.query<{ value: string }, []>("SELECT value FROM facts WHERE name = 'identity'").get();
    const parsed = v.safeParse(identitySchema, row && parsedJson(row.value));
    return parsed.success ? parsed.output : null;
  }

  ownSetting(): unknown {
    return this.#fact("setting");
  }

  packageKeys(): unknown {
    return this.#fact("package-keys");
  }

  #fact(name: string): unknown {
    const row = this.db
      .query<{ value: string }, [string]>("SELECT value FROM facts WHERE name = ?")
      .get(name);
    return row && parsedJson(row.value);
  }

  trust(): unknown {
    const row = this.db.query<{ value: string }, []>("SELECT value FROM facts WHERE name = 'trust'").get();
    return row && parsedJson(row.value);
  }

  close(): void {
    this.db.close();
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Ledger of the process that holds the folder's lock. */
class SqliteLedger extends SqliteReader implements Ledger {
  readonly #nowMs: () => number;

  constructor(database: Database, nowMs: () => number) {
    super(database);
    this.#nowMs = nowMs;
  }

  #write<T>(action: () => T): T {
    try {
      return this.db.transaction(action)();
    } catch (error) {
      throw asCacheError(error, "write to", this.db.filename);
    }
  }

  /** Writes as `#write` does; durable against a power cut when it returns. */
  #writeDurably<T>(action: () => T): T {
    this.db.run("PRAGMA synchronous = FULL");
    try {
      return this.#write(action);
    } finally {
      this.db.run("PRAGMA synchronous = NORMAL");
    }
  }

  saveIdentity(identity: Identity): void {
    this.#writeDurably(() =>
      this.db.run("INSERT OR REPLACE INTO facts (name, value) VALUES ('identity', ?)", [
        JSON.stringify(v.parse(identitySchema, identity)),
      ]),
    );
  }

  saveOwnSetting(setting: unknown): void {
    this.#write(() => this.#saveFact("setting", setting));
  }

  savePackageKeys(keys: unknown): void {
    this.#writeDurably(() => this.#saveFact("package-keys", keys));
  }

  #saveFact(name: string, value: unknown): void {
    this.db.run("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", [name, JSON.stringify(value)]);
  }

  clearLog(): boolean {
    try {
      this.db.run("PRAGMA busy_timeout = 0");
      const result = this.db.query<{ busy: number }, []>("PRAGMA wal_checkpoint(TRUNCATE)").get();
      return result?.busy === 0;
    } catch (error) {
      throw asCacheError(error, "write to", this.db.filename);
    } finally {
      this.db.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    }
  }

  saveTrust(record: unknown): void {
    this.#writeDurably(() =>
      this.db.run("INSERT OR REPLACE INTO facts (name, value) VALUES ('trust', ?)", [JSON.stringify(record)]),
    );
  }

  saveTask(taskId: number, state: unknown): void {
    this.saveTasks([{ taskId, state }]);
  }

  saveTasks(tasks: readonly { readonly taskId: number; readonly state: unknown }[]): void {
    const save = this.db.query<void, [number, string, number]>(
      "INSERT OR REPLACE INTO tasks (task_id, state, updated_at) VALUES (?, ?, ?)",
    );
    this.#writeDurably(() => {
      for (const { taskId, state } of tasks) save.run(taskId, JSON.stringify(state ?? null), this.#nowMs());
    });
  }

  deleteTask(taskId: number): void {
    this.#write(() => this.db.run("DELETE FROM tasks WHERE task_id = ?", [taskId]));
  }

  addPackage(row: NewPackage): void {
    const now = this.#nowMs();
    this.#write(() =>
      this.db.run(
        `INSERT INTO packages (id, name, version, size_bytes, chunk_size_bytes, chunk_count, state, added_at, last_used_at)
         VALUES (?, ?, ?, ?, ?, ?, 'partial', ?, ?)`,
        [row.id, row.name, row.version, row.sizeBytes, row.chunkSizeBytes, row.chunkCount, now, now],
      ),
    );
  }

  removePackage(id: string): void {
    this.#write(() => this.db.run("DELETE FROM packages WHERE id = ?", [id]));
  }

  setState(id: string, state: PackageState): void {
    this.#writeDurably(() =>
      this.db.run("UPDATE packages SET state = ?, completed_at = ? WHERE id = ?", [
        state,
        state === "complete" ? this.#nowMs() : null,
        id,
      ]),
    );
  }

  setStamp(id: string, stamp: string | null): void {
    this.#writeDurably(() => this.db.run("UPDATE packages SET stamp = ? WHERE id = ?", [stamp, id]));
  }

  touch(id: string): void {
    this.#write(() =>
      this.db.run("UPDATE packages SET last_used_at = ?, unused_since = NULL WHERE id = ?", [
        this.#nowMs(),
        id,
      ]),
    );
  }

  beginAges(nowMs: number): void {
    this.#write(() =>
      this.db.run("UPDATE packages SET unused_since = ?1 WHERE unused_since IS NULL OR unused_since > ?1", [
        nowMs,
      ]),
    );
  }

  pin(id: string, taskId: number): void {
    this.#write(() =>
      this.db.run("INSERT OR IGNORE INTO pins (package, task_id) SELECT key, ? FROM packages WHERE id = ?", [
        taskId,
        id,
      ]),
    );
  }

  unpin(id: string, taskId: number): void {
    this.#write(() =>
      this.db.run(
        "DELETE FROM pins WHERE task_id = ? AND package = (SELECT key FROM packages WHERE id = ?)",
        [taskId, id],
      ),
    );
  }

  chunks(id: string): ChunkRow[] {
    return this.db
      .query<ChunkRow, [string]>(
        `SELECT chunk, bytes, origin, verified_at AS verifiedAtMs FROM chunks
         WHERE package = (SELECT key FROM packages WHERE id = ?) ORDER BY chunk`,
      )
      .all(id);
  }

  addChunks(id: string, rows: readonly ChunkRow[]): void {
    const insert = this.db.query<void, [string, number, number, string, number]>(
      `INSERT INTO chunks (package, chunk, bytes, origin, receipts, verified_at)
       SELECT key, ?2, ?3, ?4, 1, ?5 FROM packages WHERE id = ?1
       ON CONFLICT (package, chunk) DO UPDATE SET receipts = receipts + 1`,
    );
    this.#write(() => {
      for (const row of rows) insert.run(id, row.chunk, row.bytes, row.origin, row.verifiedAtMs);
    });
  }

  deleteChunks(id: string, chunks: Iterable<number>): void {
    const remove = this.db.query<void, [string, number]>(
      "DELETE FROM chunks WHERE package = (SELECT key FROM packages WHERE id = ?1) AND chunk = ?2",
    );
    this.#write(() => {
      for (const chunk of chunks) remove.run(id, chunk);
    });
  }
}

/**
 * Opens the ledger for the process that holds the folder's lock.
 * @param dir the agent's data folder
 * @param nowMs wall clock
 * @throws CacheError
 */
export const openLedger = (dir: string, nowMs: () => number, log: CacheLog): Ledger =>
  new SqliteLedger(openLedgerFile(dir, log), nowMs);

/**
 * Opens the ledger to read only, also while an agent runs.
 * @param dir the agent's data folder
 * @throws CacheError "no-ledger", "newer-version", "damaged" or "io"
 */
export const openLedgerReadOnly = (dir: string): LedgerReader =>
  new SqliteReader(openLedgerFileReadOnly(dir));
