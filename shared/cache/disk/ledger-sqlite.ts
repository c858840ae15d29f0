/**
 * The ledger: which chunk of which package is verified and where it came from, what each task's state is, and who
 * this device is. It says nothing about bytes; package-store.ts puts them on disk first and lists them here after.
 */
import type { Database } from "bun:sqlite";
import * as v from "valibot";
import { packageNameProblem, versionProblem } from "../../model/package-path.ts";
import { asCacheError, type CacheLog } from "../cache-error.ts";
import { openLedgerFile, openLedgerFileReadOnly } from "./ledger-file.ts";

export const chunkOrigins = ["wan", "multicast", "peers", "cache"] as const;
export type ChunkOrigin = (typeof chunkOrigins)[number];
export type OriginBytes = Record<ChunkOrigin, number>;
export type PackageState = "partial" | "complete";

export type LedgerPackage = {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  readonly chunkCount: number;
  readonly state: PackageState;
  readonly lastUsedAtMs: number;
  readonly chunksVerified: number;
  readonly bytesVerified: number;
  readonly originBytes: OriginBytes;
  /** More than 1: a chunk crossed the network although it was verified. */
  readonly receiptsMax: number;
  readonly pinnedBy: readonly number[];
};
export type ChunkRow = {
  readonly chunk: number;
  readonly bytes: number;
  readonly origin: ChunkOrigin;
  readonly verifiedAtMs: number;
};
export type TaskRow = { readonly taskId: number; readonly state: unknown; readonly updatedAtMs: number };

const identitySchema = v.object({
  sourceUrl: v.string(),
  deviceId: v.string(),
  credential: v.string(),
  deployment: v.number(),
  /** Raw 32-byte Ed25519 keys, base64. */
  publisherKeys: v.array(v.string()),
  tlsPin: v.optional(v.string()),
});
export type Identity = v.InferOutput<typeof identitySchema>;

/** What anyone may read, also beside a running agent. */
export class LedgerReader {
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

  /** Every task with a saved state; one whose JSON cannot be read comes with null. */
  tasks(): TaskRow[] {
    return this.db
      .query<{ task_id: number; state: string; updated_at: number }, []>(
        "SELECT task_id, state, updated_at FROM tasks ORDER BY task_id",
      )
      .all()
      .map((row) => ({ taskId: row.task_id, state: parsedJson(row.state), updatedAtMs: row.updated_at }));
  }

  /** Null before enrolment. */
  identity(): Identity | null {
    const row = this.db.query<{ value: string }, []>("SELECT value FROM facts WHERE name = 'identity'").get();
    const parsed = v.safeParse(identitySchema, row && parsedJson(row.value));
    return parsed.success ? parsed.output : null;
  }

  close(): void {
    this.db.close();
  }
}

/**
 * Can this row lie in a cache? Its name and version become folders: what a damaged file, or somebody who writes into it,
 * puts there must not lead out of the cache.
 */
export function isPossiblePackage({ id, name, version }: LedgerPackage): boolean {
  return /^[0-9a-f]{64}$/.test(id) && packageNameProblem(name) === null && versionProblem(version) === null;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What the one agent of the folder may write. Every method throws CacheError. */
export class Ledger extends LedgerReader {
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

  /** As #write, and on the disk when it returns, also through a power cut. */
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

  saveTask(taskId: number, state: unknown): void {
    this.#writeDurably(() =>
      this.db.run("INSERT OR REPLACE INTO tasks (task_id, state, updated_at) VALUES (?, ?, ?)", [
        taskId,
        JSON.stringify(state ?? null),
        this.#nowMs(),
      ]),
    );
  }

  deleteTask(taskId: number): void {
    this.#write(() => this.db.run("DELETE FROM tasks WHERE task_id = ?", [taskId]));
  }

  addPackage(
    row: Pick<LedgerPackage, "id" | "name" | "version" | "sizeBytes" | "chunkSizeBytes" | "chunkCount">,
  ): void {
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

  touch(id: string): void {
    this.#write(() => this.db.run("UPDATE packages SET last_used_at = ? WHERE id = ?", [this.#nowMs(), id]));
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

  /** The chunks of a package with where they came from. */
  chunks(id: string): ChunkRow[] {
    return this.db
      .query<ChunkRow, [string]>(
        `SELECT chunk, bytes, origin, verified_at AS verifiedAtMs FROM chunks
         WHERE package = (SELECT key FROM packages WHERE id = ?) ORDER BY chunk`,
      )
      .all(id);
  }

  /** Lists chunks whose bytes are on the disk, in one transaction. */
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

export const openLedger = (dir: string, nowMs: () => number, log: CacheLog): Ledger =>
  new Ledger(openLedgerFile(dir, log), nowMs);

/** For `status` and `cache list`: works while an agent runs, and changes nothing. */
export const openLedgerReadOnly = (dir: string): LedgerReader =>
  new LedgerReader(openLedgerFileReadOnly(dir));
