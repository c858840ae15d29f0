/**
 * Simulated ledger: the rows of cache/ledger.ts in memory. Transactions are atomic. A power cut may
 * lose the last ones, back to the last durable one, as in SQLite with a write-ahead log that is not
 * synced at every commit.
 */
import { CacheError } from "../cache/index.ts";
import type {
  ChunkRow,
  Identity,
  Ledger,
  LedgerPackage,
  NewPackage,
  OriginBytes,
  PackageHead,
  PackageState,
  PackageUse,
  TaskRow,
} from "../cache/ledger.ts";
import { isSamePackageName } from "../cache/reconcile.ts";
import type { Random } from "./random.ts";

type PackageRow = NewPackage & {
  state: PackageState;
  lastUsedAtMs: number;
  stamp: string | null;
  unusedSinceMs: number | null;
  readonly chunks: Map<number, ChunkRow & { readonly receipts: number }>;
  readonly pins: Set<number>;
};

const headOf = ({ chunks: _chunks, pins: _pins, ...head }: PackageRow): PackageHead => head;

export class MemoryLedger implements Ledger {
  readonly #packages = new Map<string, PackageRow>();
  /** Task id → JSON, as in the real ledger. */
  readonly #tasks = new Map<number, string>();
  #packageKeys = "";
  /** Undoes each transaction that a power cut may still lose, the oldest first. */
  #undo: (() => void)[] = [];
  readonly #isFull: () => boolean;
  readonly #nowMs: () => number;
  /** Called before the rows of chunks are added. */
  onChunksListed: (id: string, rows: readonly ChunkRow[]) => void = () => {};
  /** Called before the state of a package changes. */
  onStateSet: (id: string, state: PackageState) => void = () => {};

  constructor(isFull: () => boolean, nowMs: () => number) {
    this.#isFull = isFull;
    this.#nowMs = nowMs;
  }

  /** Undoes the last transactions: none, some, or all that are not durable. */
  cutPower(random: Random): void {
    for (let lost = random.whole(0, this.#undo.length); lost > 0; lost--) this.#undo.pop()!();
    this.#undo = [];
  }

  /** Adds a task, unless the ledger has a row for it. */
  giveTask(taskId: number, state: unknown): void {
    if (!this.#tasks.has(taskId)) this.#tasks.set(taskId, JSON.stringify(state));
  }

  /** Returns the rows of a package's chunks, by chunk. */
  listed(id: string): ReadonlyMap<number, ChunkRow> {
    return this.#packages.get(id)?.chunks ?? new Map();
  }

  #write(change: () => () => void): void {
    if (this.#isFull()) throw new CacheError("disk-full", "Cannot write to the ledger: the disk is full");
    this.#undo.push(change());
  }

  #writeDurably(change: () => void): void {
    this.#write(() => {
      change();
      return () => {};
    });
    this.#undo = [];
  }

  packages(): LedgerPackage[] {
    return [...this.#packages.values()]
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ chunks, pins, ...row }): LedgerPackage => {
        const originBytes: OriginBytes = { wan: 0, multicast: 0, peers: 0, cache: 0 };
        let bytesVerified = 0;
        let receiptsMax = 0;
        for (const { bytes, origin, receipts } of chunks.values()) {
          originBytes[origin] += bytes;
          bytesVerified += bytes;
          receiptsMax = Math.max(receiptsMax, receipts);
        }
        const pinnedBy = [...pins].toSorted((a, b) => a - b);
        const sums = { chunksVerified: chunks.size, bytesVerified, originBytes, receiptsMax, pinnedBy };
        return Object.assign(row, sums);
      });
  }

  uses(): PackageUse[] {
    return this.packages().map((row) =>
      Object.assign(headOf(this.#packages.get(row.id)!), {
        bytesVerified: row.bytesVerified,
        pinnedBy: row.pinnedBy,
      }),
    );
  }

  package(id: string): PackageHead | null {
    const row = this.#packages.get(id);
    return row ? headOf(row) : null;
  }

  packageNamed(name: string, version: string): PackageHead | null {
    const isNamed = (row: PackageRow): boolean => isSamePackageName(row, { name, version });
    const row = [...this.#packages.values()].find(isNamed);
    return row ? headOf(row) : null;
  }

  versionsOf(name: string): PackageHead[] {
    return [...this.#packages.values()].filter((row) => row.name === name).map(headOf);
  }

  tasks(): TaskRow[] {
    return [...this.#tasks].map(([taskId, state]) => ({
      taskId,
      state: JSON.parse(state) as unknown,
      updatedAtMs: 0,
    }));
  }

  identity(): Identity | null {
    return null;
  }

  saveIdentity(): void {}

  ownSetting(): unknown {
    return null;
  }

  trust(): unknown {
    return null;
  }

  saveTrust(): void {}

  saveOwnSetting(): void {}

  packageKeys(): unknown {
    return this.#packageKeys === "" ? null : JSON.parse(this.#packageKeys);
  }

  savePackageKeys(keys: unknown): void {
    this.#writeDurably(() => (this.#packageKeys = JSON.stringify(keys)));
  }

  clearLog(): boolean {
    return true;
  }

  saveTask(taskId: number, state: unknown): void {
    this.saveTasks([{ taskId, state }]);
  }

  saveTasks(tasks: readonly { readonly taskId: number; readonly state: unknown }[]): void {
    this.#writeDurably(() => {
      for (const { taskId, state } of tasks) this.#tasks.set(taskId, JSON.stringify(state ?? null));
    });
  }

  deleteTask(taskId: number): void {
    this.#write(() => {
      const before = this.#tasks.get(taskId);
      this.#tasks.delete(taskId);
      return () => void (before !== undefined && this.#tasks.set(taskId, before));
    });
  }

  addPackage(row: NewPackage): void {
    this.#write(() => {
      this.#packages.set(row.id, {
        ...row,
        state: "partial",
        lastUsedAtMs: this.#nowMs(),
        stamp: null,
        unusedSinceMs: null,
        chunks: new Map(),
        pins: new Set(),
      });
      return () => this.#packages.delete(row.id);
    });
  }

  removePackage(id: string): void {
    this.#write(() => {
      const before = this.#packages.get(id);
      this.#packages.delete(id);
      return () => void (before && this.#packages.set(id, before));
    });
  }

  setState(id: string, state: PackageState): void {
    this.#writeDurably(() => {
      this.onStateSet(id, state);
      const row = this.#packages.get(id);
      if (row) row.state = state;
    });
  }

  setStamp(id: string, stamp: string | null): void {
    this.#writeDurably(() => {
      const row = this.#packages.get(id);
      if (row) row.stamp = stamp;
    });
  }

  touch(id: string): void {
    this.#write(() => {
      const row = this.#packages.get(id);
      const before = row && { lastUsedAtMs: row.lastUsedAtMs, unusedSinceMs: row.unusedSinceMs };
      if (row) Object.assign(row, { lastUsedAtMs: this.#nowMs(), unusedSinceMs: null });
      return () => void (row && Object.assign(row, before));
    });
  }

  beginAges(nowMs: number): void {
    for (const row of this.#packages.values())
      if (row.unusedSinceMs === null || row.unusedSinceMs > nowMs) row.unusedSinceMs = nowMs;
  }

  pin(id: string, taskId: number): void {
    this.#write(() => {
      const pins = this.#packages.get(id)?.pins;
      const isNew = pins?.has(taskId) === false;
      pins?.add(taskId);
      return () => void (isNew && pins.delete(taskId));
    });
  }

  unpin(id: string, taskId: number): void {
    this.#write(() => {
      const pins = this.#packages.get(id)?.pins;
      const wasPinned = pins?.delete(taskId) === true;
      return () => void (wasPinned && pins.add(taskId));
    });
  }

  chunks(id: string): ChunkRow[] {
    return [...(this.#packages.get(id)?.chunks.values() ?? [])].toSorted((a, b) => a.chunk - b.chunk);
  }

  addChunks(id: string, rows: readonly ChunkRow[]): void {
    this.#write(() => {
      this.onChunksListed(id, rows);
      const chunks = this.#packages.get(id)?.chunks;
      if (!chunks) return () => {};
      const before = rows.map(({ chunk }) => [chunk, chunks.get(chunk)] as const);
      for (const row of rows)
        chunks.set(row.chunk, { ...row, receipts: (chunks.get(row.chunk)?.receipts ?? 0) + 1 });
      return () => restore(chunks, before);
    });
  }

  deleteChunks(id: string, given: Iterable<number>): void {
    this.#write(() => {
      const chunks = this.#packages.get(id)?.chunks;
      if (!chunks) return () => {};
      const before = [...given].map((chunk) => [chunk, chunks.get(chunk)] as const);
      for (const [chunk] of before) chunks.delete(chunk);
      return () => restore(chunks, before);
    });
  }

  close(): void {}
}

function restore<T>(rows: Map<number, T>, before: readonly (readonly [number, T | undefined])[]): void {
  for (const [chunk, row] of before) {
    if (row === undefined) rows.delete(chunk);
    else rows.set(chunk, row);
  }
}
