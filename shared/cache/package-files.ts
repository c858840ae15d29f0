/**
 * The bytes of one package in its own files: reads and writes at offsets of the package's stream.
 *
 * Files are sparse until they are complete. This file knows offsets, handles and syncing; it does not know chunks,
 * digests or the ledger. At most `handlesMax` files are open at a time, however many the package has.
 */
import { constants, readSync, writeSync } from "node:fs";
import { mkdir, open, rename, stat, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileSpans, type Manifest } from "../package/manifest.ts";
import { asCacheError, isMissing } from "./cache-error.ts";

const handlesMax = 64;
/** Journaling file systems commit many syncs at once when they come together. */
const syncsAtOnce = 16;

/** A write that took longer met a disk that is busy. */
const promptMs = 30;
const patientWritesMin = 64;
/** A read that took longer did not find its bytes in memory. */
const promptReadMs = 3;
const patientReadsMin = 64;

type Open = { readonly handle: Promise<FileHandle>; users: number };

export class PackageFiles {
  readonly #manifest: Manifest;
  #root: string;
  #access: "read" | "write";
  /** Least recently used first. */
  #open = new Map<number, Open>();
  /** Written since the last sync. */
  #dirty = new Set<number>();
  #users = 0;
  /** So many of the next writes wait for the disk instead of holding everything up. */
  #patientWrites = 0;
  /** The same of the next reads. */
  #patientReads = 0;
  #whenIdle: (() => void) | null = null;
  #gate: Promise<void> = Promise.resolve();

  constructor(manifest: Manifest, root: string, access: "read" | "write") {
    this.#manifest = manifest;
    this.#root = root;
    this.#access = access;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    let at = 0;
    for (const span of fileSpans(this.#manifest, offset, bytes.length)) {
      await this.#using(span.file, "write to", async (handle) => {
        let done = 0;
        this.#dirty.add(span.file);
        while (done < span.length) {
          done += await this.#writeOnce(handle, bytes, at + done, span.length - done, span.fileOffset + done);
        }
      });
      at += span.length;
    }
  }

  /**
   * At once while the system takes the bytes without delay: they are still in the processor's cache then, and no thread
   * is woken (15 % of a receiver's time). A disk that falls behind is given time.
   */
  async #writeOnce(
    handle: FileHandle,
    bytes: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<number> {
    if (this.#patientWrites > 0) {
      this.#patientWrites--;
      return (await handle.write(bytes, at, length, position)).bytesWritten;
    }
    const begunMs = performance.now();
    const written = writeSync(handle.fd, bytes, at, length, position);
    if (performance.now() - begunMs > promptMs) this.#patientWrites = patientWritesMin;
    return written;
  }

  /** Fills `into` from the stream; what the files do not reach stays zero. Returns whether nothing was missing. */
  async read(offset: number, into: Uint8Array): Promise<boolean> {
    let at = 0;
    let whole = true;
    for (const span of fileSpans(this.#manifest, offset, into.length)) {
      const target = into.subarray(at, at + span.length);
      at += span.length;
      try {
        await this.#using(span.file, "read", async (handle) => {
          let done = 0;
          while (done < target.length) {
            const bytesRead = await this.#readOnce(handle, target, done, span.fileOffset + done);
            if (bytesRead === 0) break;
            done += bytesRead;
          }
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

  /** What was written or read a moment ago is in memory: fetching it takes less than waking a thread for it. */
  async #readOnce(handle: FileHandle, into: Uint8Array, at: number, position: number): Promise<number> {
    const length = into.length - at;
    if (this.#patientReads > 0) {
      this.#patientReads--;
      return (await handle.read(into, at, length, position)).bytesRead;
    }
    const begunMs = performance.now();
    const read = readSync(handle.fd, into, at, length, position);
    if (performance.now() - begunMs > promptReadMs) this.#patientReads = patientReadsMin;
    return read;
  }

  /** Returns when everything written before the call is on the disk. */
  async sync(): Promise<void> {
    const files = [...this.#dirty];
    this.#dirty.clear();
    await this.#together(files, "sync", (_file, handle) => handle.datasync());
  }

  /** Gives every file its exact size and mode, makes the empty ones, and syncs all. */
  async finish(): Promise<void> {
    // A package without files is a folder all the same.
    await mkdir(this.#root, { recursive: true }).catch((error: unknown) => {
      throw asCacheError(error, "make", this.#root);
    });
    const { files } = this.#manifest;
    await this.#together([...files.keys()], "finish", async (index, handle) => {
      const { size } = await handle.stat();
      if (size !== files[index]!.sizeBytes) await handle.truncate(files[index]!.sizeBytes);
      await handle.chmod(files[index]!.mode);
      await handle.sync();
    });
    this.#dirty.clear();
  }

  /** Moves the whole folder. Reads and writes wait meanwhile: Windows moves no folder with open files. */
  async relocate(root: string, access: "read" | "write"): Promise<void> {
    await this.#alone(async () => {
      await mkdir(dirname(root), { recursive: true });
      await rename(this.#root, root);
      this.#root = root;
      this.#access = access;
    }).catch((error: unknown) => {
      throw asCacheError(error, "move a package to", root);
    });
    await syncFolder(dirname(root));
  }

  async close(): Promise<void> {
    await this.#alone(async () => {});
  }

  async #alone(action: () => Promise<void>): Promise<void> {
    const before = this.#gate;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = before.then(() => promise);
    await before;
    try {
      if (this.#users > 0) await new Promise<void>((idle) => (this.#whenIdle = idle));
      for (const { handle } of this.#open.values()) await (await handle).close();
      this.#open.clear();
      await action();
    } finally {
      resolve();
    }
  }

  #pathOf(file: number): string {
    return join(this.#root, ...this.#manifest.files[file]!.path.split("/"));
  }

  async #using<T>(file: number, doing: string, action: (handle: FileHandle) => Promise<T>): Promise<T> {
    // The gate may close again between its opening and this turn.
    for (let gate = this.#gate; ; gate = this.#gate) {
      await gate;
      if (gate === this.#gate) break;
    }
    this.#users++;
    const entry = this.#entry(file);
    entry.users++;
    try {
      return await action(await entry.handle);
    } catch (error) {
      throw asCacheError(error, doing, this.#pathOf(file));
    } finally {
      entry.users--;
      await this.#closeSurplus();
      this.#users--;
      if (this.#users === 0) {
        this.#whenIdle?.();
        this.#whenIdle = null;
      }
    }
  }

  #entry(file: number): Open {
    let entry = this.#open.get(file);
    if (entry) this.#open.delete(file);
    else {
      const handle = openInPlace(this.#pathOf(file), this.#access);
      const made: Open = { handle, users: 0 };
      handle.catch(() => {
        if (this.#open.get(file) === made) this.#open.delete(file);
      });
      entry = made;
    }
    this.#open.set(file, entry);
    return entry;
  }

  async #together(
    files: number[],
    doing: string,
    action: (file: number, handle: FileHandle) => Promise<void>,
  ): Promise<void> {
    const worker = async (): Promise<void> => {
      for (let file = files.pop(); file !== undefined; file = files.pop()) {
        const each = file;
        await this.#using(each, doing, (handle) => action(each, handle));
      }
    };
    await Promise.all(Array.from({ length: Math.min(syncsAtOnce, files.length) }, worker));
  }

  async #closeSurplus(): Promise<void> {
    if (this.#open.size <= handlesMax) return;
    for (const [file, entry] of this.#open) {
      if (entry.users > 0) continue;
      this.#open.delete(file);
      await entry.handle.then((handle) => handle.close()).catch(() => {});
      if (this.#open.size <= handlesMax) return;
    }
  }
}

async function openInPlace(path: string, access: "read" | "write"): Promise<FileHandle> {
  const noFollow = constants.O_NOFOLLOW ?? 0;
  if (access === "read") return open(path, constants.O_RDONLY | noFollow);
  const flags = constants.O_RDWR | constants.O_CREAT | noFollow;
  try {
    return await open(path, flags, 0o644);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(dirname(path), { recursive: true });
    return open(path, flags, 0o644);
  }
}

/** Makes a rename in `folder` last; Windows has no such call and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Size of each of the package's files below `root`; -1 where there is none. */
export async function fileSizes(manifest: Manifest, root: string): Promise<Float64Array> {
  const sizes = new Float64Array(manifest.files.length).fill(-1);
  for (const [index, file] of manifest.files.entries()) {
    try {
      const found = await stat(join(root, ...file.path.split("/")));
      if (found.isFile()) sizes[index] = found.size;
    } catch (error) {
      if (!isMissing(error)) throw asCacheError(error, "look at", join(root, file.path));
    }
  }
  return sizes;
}
