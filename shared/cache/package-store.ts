/**
 * One package in the distribution cache: verifies chunks, stores them in place, and declares the
 * package complete once every chunk was read back from its file and verified, during the transfer
 * (read-back.ts) or at the end.
 *
 * `verified` contains a chunk as soon as its bytes are written; the ledger follows in batches
 * (chunk-batch.ts). Room and eviction are decided in distribution-cache.ts.
 */
import { ChunkSet } from "../model/chunk-set.ts";
import {
  chunkCount,
  chunkLength,
  chunkOffset,
  chunksOfFile,
  filesOfChunks,
  pathsOfFiles,
  type Manifest,
} from "../model/manifest.ts";
import type { Clock } from "../model/clock.ts";
import type { SignedManifest } from "../model/signing.ts";
import { CacheError, type CacheEvent, type CacheLog } from "./cache-error.ts";
import { ChunkBatch } from "./chunk-batch.ts";
import { ChunkCheck } from "./chunk-check.ts";
import type { ChunkOrigin, Ledger, OriginBytes, PackageState } from "./ledger.ts";
import type { Files, IoPath } from "./files.ts";
import { PackageFiles } from "./package-files.ts";
import { PackagePlace } from "./package-place.ts";
import { ReadBack } from "./read-back.ts";
import { VerifiedChunks } from "./verified-chunks.ts";
import { SerialQueues } from "./serial-queues.ts";

type StoreOptions = {
  readonly id: string;
  readonly manifest: Manifest;
  readonly signed: SignedManifest;
  readonly ledger: Ledger;
  readonly state: PackageState;
  /** Folder of the bytes until the package is complete. */
  readonly partialPath: string;
  /** Folder of the complete package. */
  readonly finalPath: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly log: CacheLog;
};
/**
 * Smallest package that bypasses the page cache. The files of smaller ones stay in memory for the
 * program that uses them next.
 */
const directPackageMinBytes = 64 * 1024 * 1024;

/**
 * Outcome of `complete`. `badChunks` are those to be fetched, missing ones included; `paths` name
 * files that are wrong on the disk, at most three.
 */
type Completion =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly badChunks: number[]; readonly paths: string[] };

export class PackageStore {
  readonly #options: StoreOptions;
  readonly #files: PackageFiles;
  readonly #batch: ChunkBatch;
  readonly #readBack: ReadBack;
  readonly #chunks: VerifiedChunks;
  /**
   * One write per chunk at a time, so that a late unverified write never overwrites verified bytes.
   */
  readonly #writes = new SerialQueues();
  readonly #chunkCheck: ChunkCheck;
  readonly #place: PackagePlace;
  #isOpen = true;
  #readers = 0;
  #completing: Promise<Completion> | null = null;

  constructor(options: StoreOptions) {
    this.#chunks = new VerifiedChunks(chunkCount(options.manifest));
    this.#options = options;
    this.#files = new PackageFiles(
      options.files,
      options.manifest,
      options.state === "complete" ? options.finalPath : options.partialPath,
      options.state === "complete" ? "read" : "write",
      (file) => this.#forgetReadBack(file),
    );
    this.#place = new PackagePlace(
      { ...options, title: this.#title, packageFiles: this.#files },
      options.state,
    );
    this.#chunkCheck = new ChunkCheck(options.manifest, this.#files);
    this.#readBack = new ReadBack(this.verified.size, options.manifest.chunkSizeBytes, (chunk, buffer) =>
      this.#isOnDisk(chunk, buffer),
    );
    for (const row of options.ledger.chunks(options.id)) this.#chunks.add(row);
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

  get id(): string {
    return this.#options.id;
  }

  get manifest(): Manifest {
    return this.#options.manifest;
  }

  get signed(): SignedManifest {
    return this.#options.signed;
  }

  get state(): PackageState {
    return this.#place.state;
  }

  /** The package's folder; null while it is not complete. */
  get path(): string | null {
    return this.state === "complete" ? this.#place.finalPath : null;
  }

  /** Live set of the verified chunks. */
  get verified(): ChunkSet {
    return this.#chunks.set;
  }

  get originBytes(): Readonly<OriginBytes> {
    return this.#chunks.originBytes;
  }

  get bytesVerified(): number {
    return this.#chunks.bytes;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get readers(): number {
    return this.#readers;
  }

  /** Keeps the package from eviction and removal until the returned function is called. */
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
   * Stores a chunk if its digest is right. The bytes may come from any device, so a wrong chunk
   * number or length counts as a wrong digest.
   * @throws CacheError "disk-full", "io" or "closed"; the chunk is then not stored
   */
  async writeChunk(
    chunk: number,
    bytes: Uint8Array,
    origin: ChunkOrigin,
  ): Promise<"stored" | "known" | "wrong-digest"> {
    this.#assertOpen();
    if (this.verified.has(chunk)) return "known";
    if (!this.#isChunk(chunk) || !this.#chunkCheck.digestMatches(chunk, bytes)) return "wrong-digest";
    return this.#writes.run(chunk, async () => {
      if (this.verified.has(chunk)) return "known";
      this.#assertOpen();
      await this.#place.leaveFinalPath();
      this.#chunkCheck.willWrite(chunk, bytes);
      await this.#files.write(chunkOffset(this.manifest, chunk), bytes, this.#ioPath(origin));
      this.#addVerified(chunk, origin);
      return "stored";
    });
  }

  /**
   * Stores bytes of a partial chunk at their place in the file; the ledger never lists them.
   * Returns false and writes nothing once the chunk is verified.
   * @throws RangeError when the bytes are not within the chunk
   */
  async writeUnverified(chunk: number, offsetInChunk: number, bytes: Uint8Array): Promise<boolean> {
    this.#assertOpen();
    const length = chunkLength(this.manifest, chunk);
    if (!this.#isChunk(chunk) || offsetInChunk < 0 || offsetInChunk + bytes.length > length) {
      throw new RangeError(
        `${bytes.length} bytes at ${offsetInChunk} are not within chunk ${chunk} (${length})`,
      );
    }
    return this.#writes.run(chunk, async () => {
      // The chunk may have been verified while this write was queued.
      if (this.verified.has(chunk)) return false;
      await this.#place.leaveFinalPath();
      await this.#files.write(chunkOffset(this.manifest, chunk) + offsetInChunk, bytes, "cached");
      return true;
    });
  }

  /**
   * Fills `into` with the chunk's bytes as stored on the disk, verified or not; bytes never written
   * are zero. Returns the number of bytes.
   */
  async readRaw(chunk: number, into: Uint8Array): Promise<number> {
    this.#assertOpen();
    const length = Math.min(into.length, this.#isChunk(chunk) ? chunkLength(this.manifest, chunk) : 0);
    await this.#files.read(chunkOffset(this.manifest, chunk), into.subarray(0, length), "cached");
    return length;
  }

  /** Reads a verified chunk; throws as `readRange` does. */
  async readChunk(chunk: number): Promise<Uint8Array> {
    return this.readRange(chunk, 0, chunkLength(this.manifest, chunk));
  }

  /**
   * Reads a chunk for another device and checks its digest, so that corruption of this disk does
   * not spread. A corrupt chunk is no longer offered. The package stays in place, because a program
   * may be using its files.
   * @throws CacheError "not-verified", "io" or "corrupt"
   */
  async readVerified(chunk: number): Promise<Uint8Array> {
    const bytes = await this.readChunk(chunk);
    return this.#chunkCheck.digestMatches(chunk, bytes) ? bytes : this.#failCorrupt(chunk);
  }

  #failCorrupt(chunk: number): never {
    this.#chunks.markCorrupt(chunk);
    // `complete` has to read this chunk again.
    this.#readBack.forget(chunk);
    const remedy = this.state === "complete" ? `"cache verify" fetches it again` : "it is fetched again";
    const message = `Chunk ${chunk} of ${this.#title} changed on the disk after it was verified: it is not served to other devices; ${remedy}`;
    this.#options.log({ level: "warn", event: "chunk-spoiled", message });
    throw new CacheError("corrupt", message);
  }

  /** Chunks that other devices may fetch: the verified ones, except those found corrupt. */
  get offered(): ChunkSet {
    return this.#chunks.offered;
  }

  /**
   * Reads a part of a verified chunk.
   * @throws CacheError "not-verified"; or, when the file is too short, "io", which drops the chunk,
   * or "corrupt" for a complete package, which stays in place: a program may be using its files
   * @throws RangeError when the part is not within the chunk
   */
  async readRange(chunk: number, offsetInChunk: number, length: number): Promise<Uint8Array> {
    this.#assertOpen();
    if (!this.verified.has(chunk)) {
      throw new CacheError("not-verified", `Chunk ${chunk} of ${this.#title} is not verified yet`);
    }
    const available = chunkLength(this.manifest, chunk) - offsetInChunk;
    if (offsetInChunk < 0 || length < 0 || length > available) {
      throw new RangeError(`${length} bytes at ${offsetInChunk} are not within chunk ${chunk}`);
    }
    const bytes = new Uint8Array(length);
    const path = this.state === "complete" ? "cached" : this.#ioPath(this.#chunks.originOf(chunk));
    if (!(await this.#files.read(chunkOffset(this.manifest, chunk) + offsetInChunk, bytes, path))) {
      if (this.state === "complete") this.#failCorrupt(chunk);
      await this.#dropChunks([chunk]);
      throw new CacheError(
        "io",
        `Chunk ${chunk} of ${this.#title} is no longer in its file: verify the package`,
      );
    }
    return bytes;
  }

  /** Resolves when all stored chunks are on the disk and in the ledger. */
  flush(): Promise<void> {
    return this.#batch.flush();
  }

  /**
   * Reads back the chunks that were not read back yet, and moves the package to its final path if
   * all are right. Otherwise the bad chunks are dropped from the ledger, to be fetched again.
   * @throws CacheError "path-taken", "disk-full", "io" or "closed"
   */
  complete(): Promise<Completion> {
    this.#completing ??= this.#complete().finally(() => (this.#completing = null));
    return this.#completing;
  }

  /**
   * Checks a complete package before its use. Reads it only if an entry was changed since the
   * package was last found right; otherwise it looks every entry up by its name. What differs is
   * dropped, as `complete` does; folders, links and modes are made again.
   * @throws CacheError as `complete` does
   */
  async verifyUnchanged(): Promise<Completion> {
    const { ledger } = this.#options;
    const { finalPath } = this.#place;
    if (this.state !== "complete") return this.complete();
    const stamp = await this.#files.stamp();
    if (stamp !== null && stamp === ledger.package(this.id)?.stamp) return { ok: true, path: finalPath };
    await this.#files.mend();
    // Taken before the read: a change during the read shows at the next use.
    const mended = await this.#files.stamp();
    const badChunks = await this.check();
    if (badChunks.length > 0) return { ok: false, badChunks, paths: this.#pathsOf(badChunks) };
    if (mended === null) {
      await this.withdraw();
      return this.complete();
    }
    ledger.setStamp(this.id, mended);
    return { ok: true, path: finalPath };
  }

  /**
   * Stores the chunks of zeros, which are not received from anywhere. Call it before other chunks
   * are written.
   */
  async writeZeros(): Promise<void> {
    for (const { first, count } of this.manifest.encodings) {
      const run = Array.from({ length: count }, (_, index) => first + index);
      if (run.every((chunk) => this.verified.has(chunk))) continue;
      this.#assertOpen();
      await this.#place.leaveFinalPath();
      const start = chunkOffset(this.manifest, first);
      await this.#files.writeZeros(start, chunkOffset(this.manifest, first + count) - start);
      for (const chunk of run) {
        if (this.verified.has(chunk)) continue;
        this.#chunkCheck.willWriteZeros(chunk);
        this.#addVerified(chunk, "cache");
      }
    }
  }

  async #complete(): Promise<Completion> {
    this.#assertOpen();
    const { finalPath } = this.#place;
    if (this.state === "complete") return { ok: true, path: finalPath };
    await this.#place.leaveFinalPath();
    await this.flush();
    await this.#readBack.settle();
    for (const file of await this.#files.changedFiles()) this.#forgetReadBack(file);
    const badChunks = await this.#check(this.#readBack.done);
    const missing = [...this.verified.complement()];
    if (badChunks.length > 0 || missing.length > 0)
      return { ok: false, badChunks: missing, paths: this.#pathsOf(badChunks) };
    this.#assertOpen();
    await this.#place.assertFree();
    const wrongFiles = [...(await this.#files.finish()), ...(await this.#files.changedFiles())];
    // The next `complete` reads these files again.
    for (const file of wrongFiles) this.#forgetReadBack(file);
    const wrongPaths = [...pathsOfFiles(this.manifest, wrongFiles), ...(await this.#files.wrongEntries())];
    if (wrongPaths.length > 0) return { ok: false, badChunks: [], paths: wrongPaths };
    await this.#place.enterFinalPath();
    this.#log("info", "package-completed", `is complete at "${finalPath}"`);
    return { ok: true, path: finalPath };
  }

  #pathsOf(chunks: readonly number[]): string[] {
    return pathsOfFiles(this.manifest, filesOfChunks(this.manifest, chunks));
  }

  /** Makes `complete` read the chunks of a file again, because another program changed it. */
  #forgetReadBack(file: number): void {
    for (const chunk of chunksOfFile(this.manifest, file)) this.#readBack.forget(chunk);
  }

  /**
   * Reads every verified chunk from the disk. Drops the bad ones from the ledger, in which case the
   * package leaves its final path. Returns the bad chunks.
   */
  check(): Promise<number[]> {
    return this.#check(new ChunkSet(this.verified.size));
  }

  /** @param known chunks that are not read again */
  async #check(known: ChunkSet): Promise<number[]> {
    const buffer = new Uint8Array(this.manifest.chunkSizeBytes);
    const badChunks: number[] = [];
    for (const chunk of this.verified.clone()) {
      this.#assertOpen();
      if (known.has(chunk)) continue;
      if (await this.#isOnDisk(chunk, buffer)) this.#chunks.markIntact(chunk);
      else badChunks.push(chunk);
    }
    await this.#dropChunks(badChunks);
    return badChunks;
  }

  #isOnDisk(chunk: number, buffer: Uint8Array): Promise<boolean> {
    return this.#chunkCheck.isOnDisk(chunk, buffer, this.#ioPath(this.#chunks.originOf(chunk)));
  }

  /** Moves a complete package with bad chunks out of its final path, so that no program uses it. */
  async withdraw(): Promise<void> {
    if (this.state !== "complete") return;
    await this.#place.withdraw();
    this.#log("warn", "package-withdrawn", "is no longer complete and was moved out of its folder");
  }

  /** Reads all chunks from the disk after the ledger was lost, and lists those that verify. */
  async adopt(signal?: AbortSignal): Promise<void> {
    const buffer = new Uint8Array(this.manifest.chunkSizeBytes);
    for (const chunk of this.verified.complement())
      if (!signal?.aborted && (await this.#isOnDisk(chunk, buffer))) this.#addVerified(chunk, "cache");
    await this.flush();
  }

  /** Waits for pending work, lists the written chunks and closes the files. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
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

  #log(level: CacheEvent["level"], event: CacheEvent["event"], what: string): void {
    this.#options.log({ level, event, message: `${this.#title} ${what}` });
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new CacheError("closed", `${this.#title} is closed`);
  }

  /** Chunks from the WAN are cached: the representative reads them next, to multicast them. */
  #ioPath(origin: ChunkOrigin | undefined): IoPath {
    return origin === "wan" || this.manifest.sizeBytes < directPackageMinBytes ? "cached" : "direct";
  }

  #isChunk(chunk: number): boolean {
    return Number.isInteger(chunk) && chunk >= 0 && chunk < this.verified.size;
  }

  #addVerified(chunk: number, origin: ChunkOrigin): void {
    const bytes = chunkLength(this.manifest, chunk);
    const row = { chunk, bytes, origin, verifiedAtMs: this.#options.clock.wallMs() };
    this.#chunks.add(row);
    this.#batch.add(row);
  }

  #invalidate(chunks: readonly number[]): void {
    for (const chunk of chunks) {
      this.#readBack.forget(chunk);
      this.#chunkCheck.forget(chunk);
      this.#chunks.delete(chunk, chunkLength(this.manifest, chunk));
    }
  }

  /**
   * Removes chunks from `verified`, the ledger and pending batches; the package is then not
   * complete.
   */
  async #dropChunks(chunks: readonly number[]): Promise<void> {
    if (chunks.length === 0) return;
    this.#invalidate(chunks);
    // Before anything else: a chunk may be stored and listed again while this waits.
    this.#options.ledger.deleteChunks(this.id, chunks);
    // A batch that cannot be listed now is listed later, without chunks that left `verified`.
    await this.flush().catch(() => {});
    const what = `${chunks.length} chunk${chunks.length === 1 ? "" : "s"}`;
    this.#log("warn", "chunks-dropped", `has ${what} on disk that no longer match and are fetched again`);
    await this.withdraw();
  }
}
