/**
 * The distribution cache of one life of a simulated device: the rules of `shared/cache/package-store.ts` on a simulated
 * disk. A chunk is accepted when its digest is right; bytes are synced before the ledger lists them; the package is
 * complete when every chunk was read back.
 */
import { ChunkSet } from "../model/chunk-set.ts";
import type { Content } from "./content.ts";
import type { Disk } from "./disk.ts";

export type ChunkOrigin = "wan" | "multicast" | "peers";

/** As in `shared/cache/chunk-batch.ts`. */
export const batchDelayMs = 500;
const batchChunks = 64;

export type StoreOptions = {
  content: Content;
  disk: Disk;
  /** Runs once after so long, if this life still lasts. */
  after: (delayMs: number, run: () => void) => void;
  onAccepted: (chunk: number, bytes: Uint8Array, origin: ChunkOrigin) => void;
  /** For the mutation check of the checkers. */
  acceptsUnverified: boolean;
  /** The same: one chunk of a batch is left out. */
  forgetsLedger: boolean;
};

export class Store {
  readonly verified: ChunkSet;
  readonly heldAtStart: number;
  /** Chunks that this life accepted. */
  readonly origins: Record<ChunkOrigin, number> = { wan: 0, multicast: 0, peers: 0 };
  readonly #options: StoreOptions;
  readonly #readBack: ChunkSet;
  readonly #spoiled: ChunkSet;
  #batch: number[] = [];
  #isFlushDue = false;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.verified = new ChunkSet(options.content.chunkCount);
    this.#readBack = new ChunkSet(options.content.chunkCount);
    this.#spoiled = new ChunkSet(options.content.chunkCount);
    for (const chunk of options.disk.ledger) this.verified.add(chunk);
    this.heldAtStart = this.verified.count;
  }

  get state(): "partial" | "complete" {
    return this.#options.disk.state;
  }

  /** Chunks whose bytes were right when they were read from the disk. */
  get readBack(): ChunkSet {
    return this.#readBack;
  }

  /** @throws DiskError */
  writeChunk(chunk: number, bytes: Uint8Array, origin: ChunkOrigin): "stored" | "known" | "wrong-digest" {
    const { content, disk, acceptsUnverified, onAccepted } = this.#options;
    if (this.verified.has(chunk)) return "known";
    if (!acceptsUnverified && !content.isRight(chunk, bytes)) return "wrong-digest";
    disk.write(chunk, bytes);
    this.verified.add(chunk);
    this.#batch.push(chunk);
    this.#flushLater(this.#batch.length >= batchChunks ? 0 : batchDelayMs);
    this.origins[origin]++;
    onAccepted(chunk, bytes, origin);
    return "stored";
  }

  /** For another device: null when it is not what was verified any more; then it is offered no more. */
  readProven(chunk: number): Uint8Array | null {
    const bytes = this.readChunk(chunk);
    if (this.#options.content.isRight(chunk, bytes)) return bytes;
    this.#spoiled.add(chunk);
    this.#readBack.delete(chunk);
    return null;
  }

  /** What others may have. */
  get offered(): ChunkSet {
    if (this.#spoiled.isEmpty) return this.verified;
    const offered = this.verified.clone();
    offered.deleteAll(this.#spoiled);
    return offered;
  }

  /** As it lies on the disk: it may have rotted. */
  readChunk(chunk: number): Uint8Array {
    return this.#options.disk.read(chunk) ?? new Uint8Array(this.#options.content.lengthOf(chunk));
  }

  #flushLater(delayMs: number): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.after(delayMs, () => {
      this.#isFlushDue = false;
      try {
        this.flush();
      } catch {
        // The batch waits for the next turn.
        this.#flushLater(batchDelayMs * 4);
      }
    });
  }

  /** Bytes first, then the ledger. @throws DiskError */
  flush(): void {
    const { disk, content, forgetsLedger } = this.#options;
    if (this.#batch.length === 0) return;
    disk.sync();
    disk.list(forgetsLedger ? this.#batch.slice(1) : this.#batch);
    for (const chunk of this.#batch)
      if (content.isRight(chunk, this.readChunk(chunk))) this.#readBack.add(chunk);
    this.#batch = [];
  }

  /** Null: complete. Else the chunks that were wrong when read back; they are to be fetched again. @throws DiskError */
  complete(): number[] | null {
    const { disk, content } = this.#options;
    if (disk.state === "complete") return null;
    this.flush();
    const bad: number[] = [];
    for (const chunk of this.verified.clone())
      if (!this.#readBack.has(chunk) && !content.isRight(chunk, this.readChunk(chunk))) bad.push(chunk);
      else this.#readBack.add(chunk);
    for (const chunk of bad) {
      this.verified.delete(chunk);
      this.#spoiled.delete(chunk);
    }
    disk.unlist(bad);
    if (!this.verified.isFull) return bad;
    disk.setState("complete");
    return null;
  }
}
