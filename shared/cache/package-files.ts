/**
 * The files of one package: reads and writes at offsets of the package's stream.
 *
 * Files are sparse until the package is complete, except on NTFS, which writes zeros up to the
 * highest offset written. This file deals with offsets, open files, syncing, and files that
 * another program changes; package-store.ts with chunks, digests and the ledger.
 */
import { dirname, join } from "node:path";
import { fileSpans, type Manifest } from "../model/manifest.ts";
import { asCacheError, isMissing } from "./cache-error.ts";
import type { FileEntry, Files, FileState, IoPath, OpenFile } from "./files.ts";

/** Upper bound on files kept open; files in use may exceed it. */
const handlesMax = 64;
/** Concurrent syncs. Journaling file systems commit concurrent syncs together. */
const concurrentSyncs = 16;

/** A handle that `isRetired` is no longer listed, and closed by its last user. */
type Handle = { readonly opened: Promise<OpenFile>; users: number; isRetired: boolean };
/** Writes of this process to a file that have not ended. */
type Writing = { count: number; endBytes: number };

export class PackageFiles {
  readonly #manifest: Manifest;
  readonly #files: Files;
  #root: string;
  #access: "read" | "write";
  /** Open files by index, least recently used first. */
  #handles = new Map<number, Handle>();
  /** Files written since the last sync. */
  #dirty = new Set<number>();
  /** State of each file after this process's last write to it, or after its last check. */
  readonly #states = new Map<number, FileState>();
  readonly #writing = new Map<number, Writing>();
  readonly #onForeignChange: (file: number) => void;
  #users = 0;
  #whenIdle: (() => void) | null = null;
  /** Settles when no exclusive action is waiting or running. */
  #gate: Promise<void> = Promise.resolve();

  /** @param onForeignChange called when a file is not as this process left it */
  constructor(
    files: Files,
    manifest: Manifest,
    root: string,
    access: "read" | "write",
    onForeignChange: (file: number) => void = () => {},
  ) {
    this.#files = files;
    this.#onForeignChange = onForeignChange;
    this.#manifest = manifest;
    this.#root = root;
    this.#access = access;
  }

  get root(): string {
    return this.#root;
  }

  /** @param bytes must not change until the promise settles */
  async write(offset: number, bytes: Uint8Array, path: IoPath): Promise<void> {
    let at = 0;
    for (const span of fileSpans(this.#manifest, offset, bytes.length)) {
      await this.#reopenUnnamed(span.file);
      await this.#withFile(span.file, "write to", async (file) => {
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

  /** Retires the handle of a file that another program removed or replaced. */
  async #reopenUnnamed(index: number): Promise<void> {
    const handle = this.#handles.get(index);
    if (handle === undefined) return;
    const file = await handle.opened.catch(() => null);
    if (file === null || this.#handles.get(index) !== handle || file.state() !== null) return;
    this.#handles.delete(index);
    this.#states.delete(index);
    this.#onForeignChange(index);
    handle.isRetired = true;
    if (handle.users === 0) await file.close();
  }

  /**
   * Looks every file up by its name, and returns those that are not as this process left them.
   * Removes entries that cannot become the file: folders, links, and files that are too long.
   */
  async changedFiles(): Promise<number[]> {
    await this.#exclusively(async () => {});
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
        await this.#withFile(span.file, "read", async (file) => {
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
    await this.#forEachFile(files, "sync", (file) => file.sync("data"));
  }

  /**
   * Gives every file its mode, creates the empty ones, and syncs all. Returns the files whose size
   * is wrong; they are never lengthened or cut to the right one.
   */
  async finish(): Promise<number[]> {
    // A package without files still needs its folder.
    await this.#files.makeFolder(this.#root).catch((error: unknown) => {
      throw asCacheError(error, "make", this.#root);
    });
    const { files } = this.#manifest;
    const wrong: number[] = [];
    await this.#forEachFile([...files.keys()], "finish", async (file, index) => {
      const { sizeBytes, mode } = files[index]!;
      if (file.state()?.sizeBytes !== sizeBytes) return void wrong.push(index);
      await file.setMode(mode);
      await file.sync("all");
    });
    this.#dirty.clear();
    return wrong;
  }

  /**
   * Moves the whole folder. Reads and writes wait, because Windows cannot move a folder with open
   * files.
   */
  async relocate(root: string, access: "read" | "write"): Promise<void> {
    await this.#exclusively(async () => {
      if (this.#root === root) return;
      await this.#files.makeFolder(dirname(root));
      await this.#files.rename(this.#root, root);
      this.#root = root;
      this.#access = access;
    }).catch((error: unknown) => {
      throw asCacheError(error, "move a package to", root);
    });
    await this.#files.syncFolder(dirname(root));
  }

  async close(): Promise<void> {
    await this.#exclusively(async () => {});
  }

  /** Waits for reads and writes to end, closes all files and runs the action alone. */
  async #exclusively(action: () => Promise<void>): Promise<void> {
    const before = this.#gate;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = before.then(() => promise);
    await before;
    try {
      if (this.#users > 0) await new Promise<void>((idle) => (this.#whenIdle = idle));
      for (const { opened } of this.#handles.values()) await (await opened).close();
      this.#handles.clear();
      await action();
    } finally {
      resolve();
    }
  }

  #pathOf(file: number): string {
    return join(this.#root, ...this.#manifest.files[file]!.path.split("/"));
  }

  async #withFile<T>(file: number, doing: string, action: (file: OpenFile) => Promise<T>): Promise<T> {
    // Another exclusive action may have begun before this continuation ran.
    for (let gate = this.#gate; ; gate = this.#gate) {
      await gate;
      if (gate === this.#gate) break;
    }
    this.#users++;
    const entry = this.#handleOf(file);
    entry.users++;
    try {
      return await action(await entry.opened);
    } catch (error) {
      throw asCacheError(error, doing, this.#pathOf(file));
    } finally {
      entry.users--;
      if (entry.isRetired && entry.users === 0)
        await entry.opened.then((opened) => opened.close()).catch(() => {});
      await this.#closeSurplus();
      this.#users--;
      if (this.#users === 0) {
        this.#whenIdle?.();
        this.#whenIdle = null;
      }
    }
  }

  #handleOf(file: number): Handle {
    let entry = this.#handles.get(file);
    if (entry) this.#handles.delete(file);
    else {
      const opened = this.#files.open(this.#pathOf(file), this.#access);
      const made: Handle = { opened, users: 0, isRetired: false };
      opened.catch(() => {
        if (this.#handles.get(file) === made) this.#handles.delete(file);
      });
      entry = made;
    }
    this.#handles.set(file, entry);
    return entry;
  }

  async #forEachFile(
    files: readonly number[],
    doing: string,
    action: (file: OpenFile, index: number) => Promise<void>,
  ): Promise<void> {
    await forEachIndex(files.length, (at) =>
      this.#withFile(files[at]!, doing, (file) => action(file, files[at]!)),
    );
  }

  async #closeSurplus(): Promise<void> {
    if (this.#handles.size <= handlesMax) return;
    for (const [index, entry] of this.#handles) {
      if (entry.users > 0) continue;
      this.#handles.delete(index);
      await entry.opened.then((file) => file.close()).catch(() => {});
      if (this.#handles.size <= handlesMax) return;
    }
  }
}

const isSameState = (a: FileState, b: FileState): boolean =>
  a.identity === b.identity && a.sizeBytes === b.sizeBytes && a.modifiedNs === b.modifiedNs;

const canBecome = (found: FileEntry, sizeBytes: number): boolean =>
  found.kind === "file" && found.sizeBytes <= sizeBytes;

/** Calls `action` for 0 … count - 1, a few at a time, the last one first. */
async function forEachIndex(count: number, action: (index: number) => Promise<void>): Promise<void> {
  let next = count;
  const worker = async (): Promise<void> => {
    while (next > 0) await action(--next);
  };
  await Promise.all(Array.from({ length: Math.min(concurrentSyncs, count) }, worker));
}

/** Returns the size of each of the package's files below `root`; -1 for a missing file. */
export async function fileSizes(files: Files, manifest: Manifest, root: string): Promise<Float64Array> {
  const sizes = new Float64Array(manifest.files.length).fill(-1);
  await forEachIndex(manifest.files.length, async (index) => {
    const path = join(root, ...manifest.files[index]!.path.split("/"));
    const found = await files.entryAt(path).catch((error: unknown): never => {
      throw asCacheError(error, "look at", path);
    });
    if (found?.kind === "file") sizes[index] = found.sizeBytes;
  });
  return sizes;
}
