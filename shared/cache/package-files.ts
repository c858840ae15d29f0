/**
 * The files of one package: reads and writes at offsets of the package's stream.
 *
 * Files are sparse until the package is complete. This file deals with offsets, open files,
 * syncing, and files that another program changes; package-store.ts with chunks, digests and the
 * ledger.
 */
import { dirname } from "node:path";
import { fileSpans, type Manifest } from "../model/manifest.ts";
import { asCacheError, isMissing } from "./cache-error.ts";
import type { FileEntry, Files, FileState, IoPath, OpenFile } from "./files.ts";
import { FilePool } from "./file-pool.ts";
import { forEachIndex, PackageEntries, pathBelow } from "./package-entries.ts";

const executeBits = 0o111;
/** Bytes compared with zeros, or written as zeros, at a time. */
const zerosBytes = 262_144;

/** Writes of this process to a file that have not ended. */
type Writing = { count: number; endBytes: number };

export class PackageFiles {
  readonly #manifest: Manifest;
  readonly #files: Files;
  readonly #entries: PackageEntries;
  readonly #pool: FilePool;
  #root: string;
  #access: "read" | "write";
  /** Files written since the last sync. */
  #dirty = new Set<number>();
  /** State of each file after this process's last write to it, or after its last check. */
  readonly #states = new Map<number, FileState>();
  readonly #writing = new Map<number, Writing>();
  readonly #onForeignChange: (file: number) => void;

  /** @param onForeignChange called when a file is not as this process left it */
  constructor(
    files: Files,
    manifest: Manifest,
    root: string,
    access: "read" | "write",
    onForeignChange: (file: number) => void = () => {},
  ) {
    this.#files = files;
    this.#entries = new PackageEntries(files, manifest);
    this.#onForeignChange = onForeignChange;
    this.#manifest = manifest;
    this.#root = root;
    this.#access = access;
    this.#pool = new FilePool({
      open: (index) => this.#files.open(this.#pathOf(index), this.#access, manifest.files[index]!.mode),
      pathOf: (index) => this.#pathOf(index),
    });
  }

  get root(): string {
    return this.#root;
  }

  /** @param bytes must not change until the promise settles */
  async write(offset: number, bytes: Uint8Array, path: IoPath): Promise<void> {
    let at = 0;
    for (const span of fileSpans(this.#manifest, offset, bytes.length)) {
      await this.#reopenUnnamed(span.file);
      await this.#pool.use(span.file, "write to", async (file) => {
        this.#beginWrite(span.file, file);
        try {
          await file.write(bytes, at, span.length, span.fileOffset, path);
        } finally {
          this.#endWrite(span.file, file, span.fileOffset + span.length);
        }
        // Marked after the write: a sync that ran during the write does not cover it.
        this.#dirty.add(span.file);
      });
      at += span.length;
    }
  }

  /** Makes the bytes zero; bytes after the end of a file become a hole. */
  async writeZeros(offset: number, length: number): Promise<void> {
    for (const span of fileSpans(this.#manifest, offset, length)) {
      const start = offset;
      offset += span.length;
      const isZero = await this.#pool.use(
        span.file,
        "write to",
        async (file) => (await file.zero?.(span.fileOffset, span.length)) ?? false,
      );
      this.#dirty.add(span.file);
      if (isZero) continue;
      const sizeBytes = await this.#pool.use(
        span.file,
        "look at",
        async (file) => file.state()?.sizeBytes ?? 0,
      );
      const end = span.fileOffset + span.length;
      // One byte at the end gives the file its length.
      if (sizeBytes < end) await this.write(start + span.length - 1, new Uint8Array(1), "cached");
      const writtenEnd = Math.min(sizeBytes, end);
      for (let at = span.fileOffset; at < writtenEnd; at += zerosBytes)
        await this.#clear(start + at - span.fileOffset, Math.min(zerosBytes, writtenEnd - at));
    }
  }

  /** Writes zeros where other bytes are. */
  async #clear(offset: number, length: number): Promise<void> {
    const zeros = new Uint8Array(length);
    const found = new Uint8Array(length);
    await this.read(offset, found, "cached");
    if (Buffer.compare(found, zeros) !== 0) await this.write(offset, zeros, "cached");
  }

  /** Compares a file with what this process left, before it changes the file itself. */
  #beginWrite(index: number, file: OpenFile): void {
    const writing = this.#writing.get(index) ?? { count: 0, endBytes: 0 };
    if (writing.count++ > 0) return;
    this.#writing.set(index, writing);
    const left = this.#states.get(index);
    if (left === undefined) return;
    const found = file.state();
    writing.endBytes = left.sizeBytes;
    if (found === null || !isSameState(found, left)) this.#onForeignChange(index);
  }

  #endWrite(index: number, file: OpenFile, endBytes: number): void {
    const writing = this.#writing.get(index)!;
    writing.endBytes = Math.max(writing.endBytes, endBytes);
    if (--writing.count > 0) return;
    this.#writing.delete(index);
    const state = file.state();
    if (state === null || state.sizeBytes < writing.endBytes) this.#onForeignChange(index);
    if (state !== null) this.#states.set(index, state);
  }

  async #reopenUnnamed(index: number): Promise<void> {
    if (!(await this.#pool.retireUnnamed(index))) return;
    this.#states.delete(index);
    this.#onForeignChange(index);
  }

  /**
   * Looks every file up by its name, and returns those that are not as this process left them.
   * Removes entries that cannot become the file: folders, links, and files that are too long.
   */
  async changedFiles(): Promise<number[]> {
    await this.#pool.exclusively(async () => {});
    await this.#entries.wrongPaths(this.#root);
    const changed: number[] = [];
    await forEachIndex(this.#manifest.files.length, async (index) => {
      const path = this.#pathOf(index);
      const { sizeBytes } = this.#manifest.files[index]!;
      try {
        const found = await this.#files.entryAt(path);
        if (found !== null && !canBecome(found, sizeBytes)) await this.#files.remove(path);
        const left = this.#states.get(index);
        const isUnchanged = found?.kind === "file" && found.sizeBytes === sizeBytes;
        // An empty file has no chunk that could be fetched again: `finish` creates it.
        if (sizeBytes === 0 || (isUnchanged && left !== undefined && isSameState(found, left))) return;
        changed.push(index);
        if (isUnchanged) this.#states.set(index, found);
        else this.#states.delete(index);
      } catch (error) {
        throw asCacheError(error, "look at", path);
      }
    });
    return changed;
  }

  /** Fills `into` from the stream; missing bytes become zero. Returns whether none was missing. */
  async read(offset: number, into: Uint8Array, path: IoPath): Promise<boolean> {
    let at = 0;
    let whole = true;
    for (const span of fileSpans(this.#manifest, offset, into.length)) {
      const target = into.subarray(at, at + span.length);
      at += span.length;
      try {
        await this.#pool.use(span.file, "read", async (file) => {
          const done = await file.read(target, span.fileOffset, path);
          target.fill(0, done);
          whole &&= done === target.length;
        });
      } catch (error) {
        if (!(error instanceof Error) || !isMissing(error.cause)) throw error;
        target.fill(0);
        whole = false;
      }
    }
    return whole;
  }

  /** Resolves when all writes that ended before the call are on the disk. */
  async sync(): Promise<void> {
    const files = [...this.#dirty];
    this.#dirty.clear();
    await this.#syncFiles(files, "data");
  }

  async #syncFiles(files: readonly number[], what: "data" | "all"): Promise<void> {
    const isDone = await this.#files.syncDisk(this.#root, files.length).catch((error: unknown): never => {
      throw asCacheError(error, "sync", this.#root);
    });
    if (!isDone)
      await forEachIndex(files.length, (at) => this.#pool.use(files[at]!, "sync", (file) => file.sync(what)));
  }

  /** Returns the paths of folders and links that are missing or of another type. */
  wrongEntries(): Promise<string[]> {
    return this.#entries.wrongPaths(this.#root);
  }

  /** Makes missing folders and links, and corrects modes, of a package whose bytes are right. */
  async mend(): Promise<void> {
    await this.#entries.wrongPaths(this.#root);
    await this.#entries.make(this.#root);
    const { files } = this.#manifest;
    await forEachIndex(files.length, async (index) => {
      const { mode } = files[index]!;
      const found = await this.#files.entryAt(this.#pathOf(index));
      if (found?.kind !== "file" || (found.mode & executeBits) === (mode & executeBits)) return;
      await this.#pool.use(index, "set the mode of", (file) => file.setMode(mode));
    });
  }

  /** Returns a text by which later changes of any entry show; null if one is wrong already. */
  stamp(): Promise<string | null> {
    return this.#entries.stamp(this.#root);
  }

  /**
   * Gives every file its mode, creates the empty ones, folders and links, and syncs all. Returns
   * the files whose size is wrong; they are never lengthened or cut to the right one.
   */
  async finish(): Promise<number[]> {
    await this.#entries.make(this.#root);
    const { files } = this.#manifest;
    const wrong: number[] = [];
    await forEachIndex(files.length, async (index) => {
      const { sizeBytes, mode } = files[index]!;
      const found = await this.#entryAt(index);
      const left = found && (this.#states.get(index) ?? found);
      const isAsLeft = (state: FileState | null): boolean =>
        state?.sizeBytes === sizeBytes && (left === null || isSameState(state, left));
      const isRight = (found === null && sizeBytes === 0) || (found?.kind === "file" && isAsLeft(found));
      if (!isRight) return void wrong.push(index);
      if (found?.mode === mode) return void this.#states.set(index, found);
      await this.#pool.use(index, "finish", async (file) => {
        if (!isAsLeft(file.state())) return void wrong.push(index);
        await file.setMode(mode);
        this.#states.set(index, file.state()!);
      });
    });
    if (wrong.length > 0) return wrong;
    await this.#syncFiles([...files.keys()], "all");
    this.#dirty.clear();
    return [];
  }

  /**
   * Moves the whole folder. Reads and writes wait, because Windows cannot move a folder with open
   * files.
   */
  async relocate(root: string, access: "read" | "write"): Promise<void> {
    await this.#pool
      .exclusively(async () => {
        if (this.#root === root) return;
        await this.#files.makeFolder(dirname(root));
        await this.#files.rename(this.#root, root);
        this.#root = root;
        this.#access = access;
      })
      .catch((error: unknown) => {
        throw asCacheError(error, "move a package to", root);
      });
    await this.#files.syncFolder(dirname(root));
  }

  async close(): Promise<void> {
    await this.#pool.exclusively(async () => {});
  }

  #entryAt(file: number): Promise<FileEntry | null> {
    return this.#files.entryAt(this.#pathOf(file)).catch((error: unknown): never => {
      throw asCacheError(error, "look at", this.#pathOf(file));
    });
  }

  #pathOf(file: number): string {
    return pathBelow(this.#root, this.#manifest.files[file]!.path);
  }
}

const isSameState = (a: FileState, b: FileState): boolean =>
  a.identity === b.identity &&
  a.sizeBytes === b.sizeBytes &&
  a.modifiedNs === b.modifiedNs &&
  a.mode === b.mode;

const canBecome = (found: FileEntry, sizeBytes: number): boolean =>
  found.kind === "file" && found.sizeBytes <= sizeBytes;

/** Returns the size of each of the package's files below `root`; -1 for a missing file. */
export async function fileSizes(files: Files, manifest: Manifest, root: string): Promise<Float64Array> {
  const sizes = new Float64Array(manifest.files.length).fill(-1);
  await forEachIndex(manifest.files.length, async (index) => {
    const path = pathBelow(root, manifest.files[index]!.path);
    const found = await files.entryAt(path).catch((error: unknown): never => {
      throw asCacheError(error, "look at", path);
    });
    if (found?.kind === "file") sizes[index] = found.sizeBytes;
  });
  return sizes;
}
