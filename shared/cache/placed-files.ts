/**
 * File system of a cache in which the file of a package may be a whole disk. Requests for its path
 * go to the disk, all others to the file system below. A move of the package moves an empty folder.
 * The place is not stored: after a restart the disk is read again.
 */
import { join } from "node:path";
import type { Manifest } from "../model/manifest.ts";
import type { CacheFolder } from "./cache-folder.ts";
import type { FileEntry, Files, OpenFile } from "./files.ts";
import type { ImageDisk } from "./image-disk.ts";
import { pathBelow } from "./package-entries.ts";

type Place = { readonly disk: ImageDisk; readonly paths: readonly string[] };

export class PlacedFiles implements Files {
  readonly #inner: Files;
  readonly #places = new Map<string, Place>();

  constructor(inner: Files) {
    this.#inner = inner;
  }

  /** Puts the only file of a package on a disk. */
  place(id: string, { name, version, files }: Manifest, folder: CacheFolder, disk: ImageDisk): void {
    const roots = [folder.partialPath(id), folder.finalPath(name, version)];
    this.#places.set(id, { disk, paths: roots.map((root) => pathBelow(root, files[0]!.path)) });
  }

  /** Returns the disk of a package; null if its files are in the cache's folder. */
  diskOf(id: string): ImageDisk | null {
    return this.#places.get(id)?.disk ?? null;
  }

  /** Returns the ids of the packages on a disk. */
  idsOn(diskPath: string): string[] {
    return [...this.#places].filter(([, { disk }]) => disk.path === diskPath).map(([id]) => id);
  }

  async forget(id: string): Promise<void> {
    const place = this.#places.get(id);
    this.#places.delete(id);
    await place?.disk.close();
  }

  async close(): Promise<void> {
    for (const id of this.#places.keys()) await this.forget(id);
  }

  #at(path: string): ImageDisk | null {
    for (const { paths, disk } of this.#places.values()) if (paths.includes(path)) return disk;
    return null;
  }

  async open(path: string, access: "read" | "write", mode: number): Promise<OpenFile> {
    const disk = this.#at(path);
    if (disk === null) return this.#inner.open(path, access, mode);
    if (access === "write") await this.#inner.makeFolder(join(path, ".."));
    return disk.file;
  }

  async entryAt(path: string): Promise<FileEntry | null> {
    const state = this.#at(path)?.file.state();
    return state == null ? this.#inner.entryAt(path) : { kind: "file", ...state };
  }

  /** Leaves a disk as it is: its bytes are dropped with the package, or written again. */
  async remove(path: string): Promise<void> {
    if (this.#at(path) === null) await this.#inner.remove(path);
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.#inner.readFile(path);
  }

  replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    return this.#inner.replaceFile(path, bytes);
  }

  linkAt(path: string): Promise<string | null> {
    return this.#inner.linkAt(path);
  }

  makeLink(target: string, path: string): Promise<void> {
    return this.#inner.makeLink(target, path);
  }

  listFolder(path: string): Promise<string[]> {
    return this.#inner.listFolder(path);
  }

  syncDisk(path: string, files: number): Promise<boolean> {
    return this.#inner.syncDisk(path, files);
  }

  makeFolder(path: string): Promise<void> {
    return this.#inner.makeFolder(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#inner.rename(from, to);
  }

  syncFolder(path: string): Promise<void> {
    return this.#inner.syncFolder(path);
  }

  removeEmptyFolder(path: string): Promise<void> {
    return this.#inner.removeEmptyFolder(path);
  }

  space(path: string): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
    return this.#inner.space(path);
  }
}
