/**
 * Bytes first, then the ledger: collects chunks whose bytes are written and lists them in batches.
 *
 * A batch is synced to the disk and then becomes one transaction, every 500 ms or 64 chunks. When the sync fails
 * nobody can say which of its bytes are on the disk (a second sync would succeed and prove nothing), so the whole
 * batch is given back as lost. When only the ledger cannot be written, the batch waits for the next turn.
 */
import type { Clock } from "../model/clock.ts";
import type { ChunkRow } from "./ledger.ts";

const batchChunks = 64;
const batchDelayMs = 500;

export type BatchSink = {
  sync(): Promise<void>;
  list(rows: readonly ChunkRow[]): void;
  /** The bytes of these chunks may not be on the disk. */
  lost(rows: readonly ChunkRow[], error: unknown): void;
  /** A flush that nobody waited for failed. */
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

  /** One flush at a time, in order. Rejects when this one fails. */
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

  /** Ends the timer; what is not flushed stays out of the ledger. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
