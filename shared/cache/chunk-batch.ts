/**
 * Lists written chunks in the ledger in batches, after their bytes are on the disk.
 *
 * A batch is synced and then listed in one transaction, every 500 ms or 64 chunks. After a failed
 * sync any of its bytes may be missing on the disk; a second sync would succeed and prove nothing.
 * The whole batch is then reported as lost. If only the ledger cannot be written, the batch is
 * retried.
 */
import type { Clock } from "../model/clock.ts";
import type { ChunkRow } from "./ledger.ts";

const batchChunks = 64;
const batchDelayMs = 500;

type BatchSink = {
  sync(): Promise<void>;
  list(rows: readonly ChunkRow[]): void;
  /** Called after a failed sync: the bytes of these chunks may not be on the disk. */
  lost(rows: readonly ChunkRow[], error: unknown): void;
  /** Called when a flush that the timer started fails. */
  failed(error: unknown): void;
};

export class ChunkBatch {
  readonly #sink: BatchSink;
  #rows: ChunkRow[] = [];
  readonly #clock: Clock;
  #cancel: (() => void) | null = null;
  #last: Promise<void> = Promise.resolve();

  constructor(sink: BatchSink, clock: Clock) {
    this.#clock = clock;
    this.#sink = sink;
  }

  add(row: ChunkRow): void {
    this.#rows.push(row);
    if (this.#rows.length === batchChunks) this.#flushSoon(0);
    else this.#flushSoon(batchDelayMs);
  }

  /** Syncs and lists the added chunks, one flush at a time. Rejects if this flush fails. */
  flush(): Promise<void> {
    const flushed = this.#last.then(() => this.#flushNow());
    this.#last = flushed.catch(() => {});
    return flushed;
  }

  #flushSoon(delayMs: number): void {
    if (this.#cancel && delayMs > 0) return;
    this.#cancel?.();
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#cancel = null;
      this.flush().catch((error: unknown) => {
        this.#sink.failed(error);
        if (this.#rows.length > 0) this.#flushSoon(batchDelayMs * 4);
      });
    });
  }

  async #flushNow(): Promise<void> {
    this.stop();
    const rows = this.#rows;
    if (rows.length === 0) return;
    this.#rows = [];
    try {
      await this.#sink.sync();
    } catch (error) {
      this.#sink.lost(rows, error);
      throw error;
    }
    try {
      this.#sink.list(rows);
    } catch (error) {
      this.#rows = rows.concat(this.#rows);
      throw error;
    }
  }

  /** Cancels the timer; chunks not yet flushed stay out of the ledger. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
