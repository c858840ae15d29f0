/**
 * One package in the distribution cache: takes chunks, proves them, keeps them in place, and declares the package
 * complete when every chunk verifies from the file as it lies on disk.
 *
 * `verified` is live: a chunk is in it as soon as its bytes are written. The ledger follows in batches
 * (chunk-batch.ts). Who may be evicted, and how much room there is, is decided in distribution-cache.ts.
 */
import { ChunkSet } from "../model/chunk-set.ts";
import { chunkCount, chunkDigest, chunkLength, chunkOffset, type Manifest } from "../model/manifest.ts";
import type { Clock } from "../model/clock.ts";
import type { SignedManifest } from "../model/signing.ts";
import { CacheError, type CacheLog } from "./cache-error.ts";
import { ChunkBatch } from "./chunk-batch.ts";
import type { ChunkOrigin, ChunkRow, Ledger, OriginBytes, PackageState } from "./ledger.ts";
import type { Files, IoPath } from "./files.ts";
import { PackageFiles } from "./package-files.ts";
import { ReadBack } from "./read-back.ts";
import { SerialQueues } from "./serial-queues.ts";

export type StoreOptions = {
  readonly id: string;
  readonly manifest: Manifest;
  readonly signed: SignedManifest;
  readonly ledger: Ledger;
  readonly state: PackageState;
  /** Folder of the bytes until the package is complete, and after. */
  readonly partialPath: string;
  readonly finalPath: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly log: CacheLog;
};
/** From this size on a package goes past the page cache; the files of smaller ones stay in memory for who uses them next. */
const directPackageMinBytes = 64 * 1024 * 1024;

export type Completion =
  { readonly ok: true; readonly path: string } | { readonly ok: false; readonly badChunks: number[] };

export class PackageStore {
  readonly id: string;
  readonly manifest: Manifest;
  readonly signed: SignedManifest;
  readonly verified: ChunkSet;
  readonly #options: StoreOptions;
  readonly #files: PackageFiles;
  readonly #batch: ChunkBatch;
  readonly #readBack: ReadBack;
  readonly #originOf = new Map<number, ChunkOrigin>();
  readonly #originBytes: OriginBytes = { wan: 0, multicast: 0, peers: 0, cache: 0 };
  /** One write at a time per chunk: a late scratch write never lands on verified bytes. */
  readonly #writes = new SerialQueues();
  /**
   * Checksums of chunks whose digest was right in memory, until they are read back: whether a file holds the bytes that
   * were written needs no second SHA-256, which takes twenty times as long (29 against 1.4 GB/s).
   */
  readonly #writtenSums = new Map<number, number | bigint>();
  /** Verified once and found changed since, until the package is verified again. */
  readonly #corrupt: ChunkSet;
  #state: PackageState | "closed";
  #readers = 0;
  #completing: Promise<Completion> | null = null;

  constructor(options: StoreOptions) {
    this.id = options.id;
    this.manifest = options.manifest;
    this.signed = options.signed;
    this.verified = new ChunkSet(chunkCount(options.manifest));
    this.#options = options;
    this.#state = options.state;
    this.#files = new PackageFiles(
      options.files,
      options.manifest,
      options.state === "complete" ? options.finalPath : options.partialPath,
      options.state === "complete" ? "read" : "write",
    );
    this.#corrupt = new ChunkSet(this.verified.size);
    this.#readBack = new ReadBack(this.verified.size, options.manifest.chunkSizeBytes, (chunk, buffer) =>
      this.#isOnDisk(chunk, buffer),
    );
    for (const row of options.ledger.chunks(options.id)) this.#markVerified(row);
    this.#batch = new ChunkBatch(
      {
        sync: () => this.#files.sync(),
        list: (rows) => {
          const kept = rows.filter((row) => this.verified.has(row.chunk));
          options.ledger.addChunks(options.id, kept);
          this.#readBack.add(kept.map((row) => row.chunk));
        },
        lost: (rows) => this.#invalidate(rows.map((row) => row.chunk)),
        failed: (error) => {
          const message = error instanceof Error ? error.message : String(error);
          options.log({ level: "error", event: "flush-failed", message });
        },
      },
      options.clock,
    );
  }

  get state(): PackageState {
    return this.#state === "complete" ? "complete" : "partial";
  }

  /** The package's folder once it is complete. */
  get path(): string | null {
    return this.#state === "complete" ? this.#options.finalPath : null;
  }

  get originBytes(): Readonly<OriginBytes> {
    return this.#originBytes;
  }

  get bytesVerified(): number {
    const { wan, multicast, peers, cache } = this.#originBytes;
    return wan + multicast + peers + cache;
  }

  get isOpen(): boolean {
    return this.#state !== "closed";
  }

  get readers(): number {
    return this.#readers;
  }

  /** While a reader is held the package is neither evicted nor removed. Call the result to let go. */
  addReader(): () => void {
    this.#assertOpen();
    this.#readers++;
    let held = true;
    return () => {
      if (held) this.#readers--;
      held = false;
    };
  }

  /**
   * Stores a chunk when its digest is right. Bytes may come from anyone: a wrong number or length is a wrong digest.
   * @throws CacheError "disk-full" or "io"; the chunk is then not stored.
   */
  async writeChunk(
    chunk: number,
    bytes: Uint8Array,
    origin: ChunkOrigin,
  ): Promise<"stored" | "known" | "wrong-digest"> {
    this.#assertOpen();
    if (this.verified.has(chunk)) return "known";
    if (!this.#isChunk(chunk) || !this.#digestMatches(chunk, bytes)) return "wrong-digest";
    return this.#writes.run(chunk, async () => {
      if (this.verified.has(chunk)) return "known";
      this.#assertOpen();
      await this.#leaveFinalPath();
      this.#writtenSums.set(chunk, Bun.hash.xxHash3(bytes));
      await this.#files.write(chunkOffset(this.manifest, chunk), bytes, this.#ioPath(origin));
      const row = { chunk, bytes: bytes.length, origin, verifiedAtMs: this.#options.clock.wallMs() };
      this.#markVerified(row);
      this.#batch.add(row);
      return "stored";
    });
  }

  /**
   * Scratch space: bytes of a chunk that is still incomplete, at their place in the file, never in the ledger.
   * Returns false, writing nothing, once the chunk is verified.
   */
  async writeUnverified(chunk: number, offsetInChunk: number, bytes: Uint8Array): Promise<boolean> {
    this.#assertOpen();
    const length = chunkLength(this.manifest, chunk);
    if (!this.#isChunk(chunk) || offsetInChunk < 0 || offsetInChunk + bytes.length > length) {
      throw new RangeError(
        `${bytes.length} bytes at ${offsetInChunk} do not lie in chunk ${chunk} (${length})`,
      );
    }
    return this.#writes.run(chunk, async () => {
      // Verified while this write waited its turn: it must not be overwritten.
      if (this.verified.has(chunk)) return false;
      await this.#leaveFinalPath();
      await this.#files.write(chunkOffset(this.manifest, chunk) + offsetInChunk, bytes, "cached");
      return true;
    });
  }

  /** What lies at the chunk's place, proven or not, into `into`; what was never written is zero. Returns its length. */
  async readRaw(chunk: number, into: Uint8Array): Promise<number> {
    this.#assertOpen();
    const length = Math.min(into.length, this.#isChunk(chunk) ? chunkLength(this.manifest, chunk) : 0);
    await this.#files.read(chunkOffset(this.manifest, chunk), into.subarray(0, length), "cached");
    return length;
  }

  /** @throws CacheError "not-verified", or "io" when the file was cut short behind our back (the chunk is then lost). */
  async readChunk(chunk: number): Promise<Uint8Array> {
    return this.readRange(chunk, 0, chunkLength(this.manifest, chunk));
  }

  /**
   * A chunk for another device: read, and held against its digest, so that what rotted on this disk goes no further. One
   * that is wrong is not offered any more; the package itself stays as it is, somebody may be using its files.
   * @throws CacheError "not-verified", "io" or "corrupt"
   */
  async readVerified(chunk: number): Promise<Uint8Array> {
    const bytes = await this.readChunk(chunk);
    if (this.#digestMatches(chunk, bytes)) return bytes;
    this.#corrupt.add(chunk);
    // Before a partial package is called complete, the chunk is looked at again.
    this.#readBack.forget(chunk);
    const mends = this.state === "complete" ? `"cache verify" fetches it again` : "it is fetched again";
    const message = `Chunk ${chunk} of ${this.#title} on disk is not what was verified: it is not given to other devices; ${mends}`;
    this.#options.log({ level: "warn", event: "chunk-spoiled", message });
    throw new CacheError("corrupt", message);
  }

  /** What others may have: the verified chunks, except those that were found changed on the disk. */
  get offered(): ChunkSet {
    if (this.#corrupt.isEmpty) return this.verified;
    const offered = this.verified.clone();
    offered.deleteAll(this.#corrupt);
    return offered;
  }

  async readRange(chunk: number, offsetInChunk: number, length: number): Promise<Uint8Array> {
    this.#assertOpen();
    if (!this.verified.has(chunk)) {
      throw new CacheError("not-verified", `Chunk ${chunk} of ${this.#title} is not verified yet`);
    }
    const available = chunkLength(this.manifest, chunk) - offsetInChunk;
    if (offsetInChunk < 0 || length < 0 || length > available) {
      throw new RangeError(`${length} bytes at ${offsetInChunk} do not lie in chunk ${chunk}`);
    }
    const bytes = new Uint8Array(length);
    const path = this.#state === "complete" ? "cached" : this.#ioPath(this.#originOf.get(chunk));
    if (!(await this.#files.read(chunkOffset(this.manifest, chunk) + offsetInChunk, bytes, path))) {
      await this.#dropChunks([chunk]);
      throw new CacheError(
        "io",
        `Chunk ${chunk} of ${this.#title} is no longer in its file: verify the package`,
      );
    }
    return bytes;
  }

  /** Returns when everything written before is on the disk and in the ledger. */
  flush(): Promise<void> {
    return this.#batch.flush();
  }

  /**
   * Reads every chunk back, and only when all are right gives the package its name. Otherwise the bad (or missing)
   * chunks have left the ledger and are to be fetched again.
   */
  complete(): Promise<Completion> {
    this.#completing ??= this.#complete().finally(() => (this.#completing = null));
    return this.#completing;
  }

  async #complete(): Promise<Completion> {
    this.#assertOpen();
    const { partialPath, finalPath, ledger, log } = this.#options;
    if (this.#state === "complete") return { ok: true, path: finalPath };
    await this.#leaveFinalPath();
    await this.flush();
    await this.#readBack.settle();
    const badChunks = await this.#check(this.#readBack.done);
    const missing = [...this.verified.complement()];
    if (badChunks.length > 0 || missing.length > 0) return { ok: false, badChunks: missing };
    this.#assertOpen();
    await this.#assertFree(finalPath);
    await this.#files.finish();
    try {
      await this.#files.relocate(finalPath, "read");
      ledger.setState(this.id, "complete");
    } catch (error) {
      // The ledger does not know of the name, for example on a full disk: the package is completed again later.
      await this.#files.relocate(partialPath, "write");
      throw error;
    }
    if (this.isOpen) this.#state = "complete";
    log({
      level: "info",
      event: "package-completed",
      message: `${this.#title} is complete at "${finalPath}"`,
    });
    return { ok: true, path: finalPath };
  }

  /** A package that is not complete keeps the name when it could not be taken back at once. */
  async #leaveFinalPath(): Promise<void> {
    const { partialPath, finalPath } = this.#options;
    if (this.#state === "partial" && this.#files.root === finalPath)
      await this.#files.relocate(partialPath, "write");
  }

  async #assertFree(finalPath: string): Promise<void> {
    if (!(await this.#options.files.entryAt(finalPath).catch(() => null))) return;
    throw new CacheError(
      "path-taken",
      `Cannot put ${this.#title} at "${finalPath}": something that is not in the ledger lies there; move it away`,
    );
  }

  /** Reads and digests every verified chunk. The bad ones leave the ledger, the package its folder; returns them. */
  check(): Promise<number[]> {
    return this.#check(new ChunkSet(this.verified.size));
  }

  /** @param known chunks that need not be read again */
  async #check(known: ChunkSet): Promise<number[]> {
    const buffer = new Uint8Array(this.manifest.chunkSizeBytes);
    const badChunks: number[] = [];
    for (const chunk of this.verified.clone()) {
      this.#assertOpen();
      if (!known.has(chunk) && !(await this.#isOnDisk(chunk, buffer))) badChunks.push(chunk);
    }
    await this.#dropChunks(badChunks);
    return badChunks;
  }

  /** Reads a chunk from its file and holds it against what was written, else against its digest. */
  async #isOnDisk(chunk: number, buffer: Uint8Array): Promise<boolean> {
    const bytes = buffer.subarray(0, chunkLength(this.manifest, chunk));
    const path = this.#ioPath(this.#originOf.get(chunk));
    const whole = await this.#files.read(chunkOffset(this.manifest, chunk), bytes, path);
    const writtenSum = this.#writtenSums.get(chunk);
    if (writtenSum === undefined) return whole && this.#digestMatches(chunk, bytes);
    this.#writtenSums.delete(chunk);
    return whole && Bun.hash.xxHash3(bytes) === writtenSum;
  }

  /** A complete package that is not right after all loses its name, so that nobody takes it for a whole one. */
  async withdraw(): Promise<void> {
    if (this.#state !== "complete") return;
    const { partialPath, ledger, log } = this.#options;
    this.#state = "partial";
    // First the name: a crash in between leaves a complete package without a folder, which the next start corrects.
    await this.#files.relocate(partialPath, "write");
    ledger.setState(this.id, "partial");
    log({
      level: "warn",
      event: "package-withdrawn",
      message: `${this.#title} is incomplete and left its folder`,
    });
  }

  /** Takes over chunks found on the disk, as after a damaged ledger: reads them all and lists those that are right. */
  async adopt(): Promise<void> {
    const buffer = new Uint8Array(this.manifest.chunkSizeBytes);
    for (let chunk = 0; chunk < this.verified.size; chunk++) {
      const bytes = buffer.subarray(0, chunkLength(this.manifest, chunk));
      const whole = await this.#files.read(chunkOffset(this.manifest, chunk), bytes, "cached");
      if (!whole || !this.#digestMatches(chunk, bytes) || this.verified.has(chunk)) continue;
      const row = {
        chunk,
        bytes: bytes.length,
        origin: "cache",
        verifiedAtMs: this.#options.clock.wallMs(),
      } as const;
      this.#markVerified(row);
      this.#batch.add(row);
    }
    await this.flush();
  }

  /** Ends what is under way, lists what is written, and lets go of the files. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    await this.#completing?.catch(() => {});
    await this.#readBack.stop();
    await this.#writes.idle();
    try {
      await this.flush();
    } finally {
      this.#batch.stop();
      await this.#files.close();
    }
  }

  get #title(): string {
    return `${this.manifest.name} ${this.manifest.version}`;
  }

  #assertOpen(): void {
    if (this.#state === "closed") throw new CacheError("closed", `${this.#title} is closed`);
  }

  /** What came over the WAN is about to be multicast: the representative reads it from memory. */
  #ioPath(origin: ChunkOrigin | undefined): IoPath {
    return origin === "wan" || this.manifest.sizeBytes < directPackageMinBytes ? "cached" : "direct";
  }

  #isChunk(chunk: number): boolean {
    return Number.isInteger(chunk) && chunk >= 0 && chunk < this.verified.size;
  }

  #digestMatches(chunk: number, bytes: Uint8Array): boolean {
    if (bytes.length !== chunkLength(this.manifest, chunk)) return false;
    const digest = new Bun.CryptoHasher("sha256").update(bytes).digest();
    return digest.equals(chunkDigest(this.manifest, chunk));
  }

  #markVerified(row: Pick<ChunkRow, "chunk" | "bytes" | "origin">): void {
    if (!this.verified.add(row.chunk)) return;
    this.#originOf.set(row.chunk, row.origin);
    this.#originBytes[row.origin] += row.bytes;
  }

  #invalidate(chunks: readonly number[]): void {
    for (const chunk of chunks) {
      this.#readBack.forget(chunk);
      this.#writtenSums.delete(chunk);
      this.#corrupt.delete(chunk);
      if (!this.verified.delete(chunk)) continue;
      this.#originBytes[this.#originOf.get(chunk)!] -= chunkLength(this.manifest, chunk);
      this.#originOf.delete(chunk);
    }
  }

  /** Out of `verified` and out of the ledger, also when a batch was about to list it; then no complete package. */
  async #dropChunks(chunks: readonly number[]): Promise<void> {
    if (chunks.length === 0) return;
    this.#invalidate(chunks);
    // A batch that cannot be listed now leaves these chunks out later: they are no longer in `verified`.
    await this.flush().catch(() => {});
    this.#options.ledger.deleteChunks(this.id, chunks);
    const count = chunks.length;
    this.#options.log({
      level: "warn",
      event: "chunks-dropped",
      message: `${this.#title}: ${count} chunk${count === 1 ? "" : "s"} on disk no longer match and will be fetched again`,
    });
    await this.withdraw();
  }
}
