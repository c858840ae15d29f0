/**
 * The bytes of one package in its own files: reads and writes at offsets of the package's stream.
 *
 * Files are sparse until they are complete. This file knows offsets, open files and syncing. Chunks, digests and the
 * ledger belong to package-store.ts. At most `handlesMax` files are open at a time.
 */
import { dirname, join } from "node:path";
import { fileSpans, type Manifest } from "../model/manifest.ts";
import { asCacheError, isMissing } from "./cache-error.ts";
import type { Files, IoPath, OpenFile } from "./files.ts";

const handlesMax = 64;
/** Journaling file systems commit many syncs at once when they come together. */
const syncsAtOnce = 16;

type Handle = { readonly opened: Promise<OpenFile>; users: number };

export class PackageFiles {
  readonly #manifest: Manifest;
  readonly #files: Files;
  #root: string;
  #access: "read" | "write";
  /** Least recently used first. */
  #open = new Map<number, Handle>();
  /** Written since the last sync. */
  #dirty = new Set<number>();
  #users = 0;
  #whenIdle: (() => void) | null = null;
  #gate: Promise<void> = Promise.resolve();

  constructor(files: Files, manifest: Manifest, root: string, access: "read" | "write") {
    this.#files = files;
    this.#manifest = manifest;
    this.#root = root;
    this.#access = access;
  }

  get root(): string {
    return this.#root;
  }

  /** @param bytes must not change until the write has ended */
  async write(offset: number, bytes: Uint8Array, path: IoPath): Promise<void> {
    let at = 0;
    for (const span of fileSpans(this.#manifest, offset, bytes.length)) {
      await this.#using(span.file, "write to", async (file) => {
        await file.write(bytes, at, span.length, span.fileOffset, path);
        // Only now: a sync that ran during the write does not cover it.
        this.#dirty.add(span.file);
      });
      at += span.length;
    }
  }

  /** Fills `into` from the stream; what the files do not reach stays zero. Returns whether nothing was missing. */
  async read(offset: number, into: Uint8Array, path: IoPath): Promise<boolean> {
    let at = 0;
    let whole = true;
    for (const span of fileSpans(this.#manifest, offset, into.length)) {
      const target = into.subarray(at, at + span.length);
      at += span.length;
      try {
        await this.#using(span.file, "read", async (file) => {
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

  /** Returns when everything written before the call is on the disk. */
  async sync(): Promise<void> {
    const files = [...this.#dirty];
    this.#dirty.clear();
    await this.#together(files, "sync", (file) => file.sync("data"));
  }

  /** Gives every file its exact size and mode, makes the empty ones, and syncs all. */
  async finish(): Promise<void> {
    // A package without files is a folder all the same.
    await this.#files.makeFolder(this.#root).catch((error: unknown) => {
      throw asCacheError(error, "make", this.#root);
    });
    const { files } = this.#manifest;
    await this.#together([...files.keys()], "finish", async (file, index) => {
      const { sizeBytes, mode } = files[index]!;
      if ((await file.sizeBytes()) !== sizeBytes) await file.truncate(sizeBytes);
      await file.setMode(mode);
      await file.sync("all");
    });
    this.#dirty.clear();
  }

  /** Moves the whole folder. Reads and writes wait meanwhile: Windows moves no folder with open files. */
  async relocate(root: string, access: "read" | "write"): Promise<void> {
    await this.#alone(async () => {
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
    await this.#alone(async () => {});
  }

  async #alone(action: () => Promise<void>): Promise<void> {
    const before = this.#gate;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = before.then(() => promise);
    await before;
    try {
      if (this.#users > 0) await new Promise<void>((idle) => (this.#whenIdle = idle));
      for (const { opened } of this.#open.values()) await (await opened).close();
      this.#open.clear();
      await action();
    } finally {
      resolve();
    }
  }

  #pathOf(file: number): string {
    return join(this.#root, ...this.#manifest.files[file]!.path.split("/"));
  }

  async #using<T>(file: number, doing: string, action: (file: OpenFile) => Promise<T>): Promise<T> {
    // The gate may close again between its opening and this turn.
    for (let gate = this.#gate; ; gate = this.#gate) {
      await gate;
      if (gate === this.#gate) break;
    }
    this.#users++;
    const entry = this.#entry(file);
    entry.users++;
    try {
      return await action(await entry.opened);
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

  #entry(file: number): Handle {
    let entry = this.#open.get(file);
    if (entry) this.#open.delete(file);
    else {
      const opened = this.#files.open(this.#pathOf(file), this.#access);
      const made: Handle = { opened, users: 0 };
      opened.catch(() => {
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
    action: (file: OpenFile, index: number) => Promise<void>,
  ): Promise<void> {
    const worker = async (): Promise<void> => {
      for (let index = files.pop(); index !== undefined; index = files.pop()) {
        const each = index;
        await this.#using(each, doing, (file) => action(file, each));
      }
    };
    await Promise.all(Array.from({ length: Math.min(syncsAtOnce, files.length) }, worker));
  }

  async #closeSurplus(): Promise<void> {
    if (this.#open.size <= handlesMax) return;
    for (const [index, entry] of this.#open) {
      if (entry.users > 0) continue;
      this.#open.delete(index);
      await entry.opened.then((file) => file.close()).catch(() => {});
      if (this.#open.size <= handlesMax) return;
    }
  }
}

/** Size of each of the package's files below `root`; -1 where there is none. */
export async function fileSizes(files: Files, manifest: Manifest, root: string): Promise<Float64Array> {
  const sizes = new Float64Array(manifest.files.length).fill(-1);
  for (const [index, file] of manifest.files.entries()) {
    const path = join(root, ...file.path.split("/"));
    const found = await files.entryAt(path).catch((error: unknown): never => {
      throw asCacheError(error, "look at", path);
    });
    if (found?.kind === "file") sizes[index] = found.sizeBytes;
  }
  return sizes;
}
