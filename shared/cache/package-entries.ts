/**
 * Entries of a package other than the contents of its files: folders, symbolic links, and the stamp
 * by which a later change of any entry shows.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Manifest } from "../model/manifest.ts";
import { asCacheError, CacheError, errorCode } from "./cache-error.ts";
import type { FileEntry, Files } from "./files.ts";

/** Concurrent requests to the file system. */
const concurrentRequests = 16;

/** Calls `action` for 0 … count - 1, a few at a time, the last one first. */
export async function forEachIndex(count: number, action: (index: number) => Promise<void>): Promise<void> {
  let next = count;
  const worker = async (): Promise<void> => {
    while (next > 0) await action(--next);
  };
  await Promise.all(Array.from({ length: Math.min(concurrentRequests, count) }, worker));
}

const levelsCache = new WeakMap<Manifest, readonly (readonly string[])[]>();

/** Returns every folder of the package by depth: those of the root first. */
function folderLevels(manifest: Manifest): readonly (readonly string[])[] {
  let levels = levelsCache.get(manifest);
  if (levels === undefined) {
    levels = levelsOf(manifest);
    levelsCache.set(manifest, levels);
  }
  return levels;
}

function levelsOf({ files, folders, links }: Manifest): string[][] {
  const found = new Set(folders);
  const entries = [...files.map(({ path }) => path), ...links.map(({ path }) => path), ...folders];
  for (const path of entries)
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const folder = path.slice(0, slash);
      if (found.has(folder)) break;
      found.add(folder);
    }
  const levels: string[][] = [];
  for (const folder of found) (levels[folder.split("/").length - 1] ??= []).push(folder);
  return levels;
}

export class PackageEntries {
  readonly #files: Files;
  readonly #manifest: Manifest;

  constructor(files: Files, manifest: Manifest) {
    this.#files = files;
    this.#manifest = manifest;
  }

  /** Removes what is in the place of a folder; returns its path, and those of missing links. */
  async wrongPaths(root: string): Promise<string[]> {
    const wrong: string[] = [];
    // A link in place of a folder would lead all writes and removals below it elsewhere, so it is
    // removed before what is below it is looked at.
    for (const level of folderLevels(this.#manifest))
      await this.#forEach(root, level, async (at, path) => {
        const found = await this.#files.entryAt(at);
        if (found?.kind === "folder") return;
        if (found !== null) await this.#files.remove(at);
        wrong.push(path);
      });
    const { links } = this.#manifest;
    await forEachIndex(links.length, async (index) => {
      const { path, target } = links[index]!;
      if ((await this.#linkAt(pathBelow(root, path))) !== target) wrong.push(path);
    });
    return wrong;
  }

  /** Creates the folders and then the links, which may lead to any entry. */
  async make(root: string): Promise<void> {
    // A package without entries still needs its folder.
    await this.#files.makeFolder(root).catch((error: unknown) => {
      throw asCacheError(error, "make", root);
    });
    for (const path of this.#manifest.folders) {
      const at = pathBelow(root, path);
      await this.#files.makeFolder(at).catch((error: unknown) => {
        throw asCacheError(error, "make", at);
      });
    }
    for (const { path, target } of this.#manifest.links) await this.#makeLink(pathBelow(root, path), target);
  }

  async #makeLink(path: string, target: string): Promise<void> {
    if ((await this.#linkAt(path)) === target) return;
    try {
      await this.#files.remove(path);
      await this.#files.makeLink(target, path);
    } catch (error) {
      if (errorCode(error) !== "EPERM") throw asCacheError(error, "make the link", path);
      throw new CacheError(
        "io",
        `Cannot make the link "${path}": this system allows links only to administrators or in developer mode; publish the package without links for it`,
        { cause: error },
      );
    }
  }

  #linkAt(path: string): Promise<string | null> {
    return this.#files.linkAt(path).catch((error: unknown): never => {
      throw asCacheError(error, "look at", path);
    });
  }

  /**
   * Returns a text that changes when any entry of a complete package is written, replaced, renamed,
   * removed, or given another mode; null if an entry is missing or of another type.
   */
  async stamp(root: string): Promise<string | null> {
    const { files, links } = this.#manifest;
    const folders = folderLevels(this.#manifest).flat();
    const lines: string[] = Array.from({ length: files.length + links.length });
    let isWhole = true;
    await this.#forEach(
      root,
      files.map(({ path }) => path),
      async (at, _path, index) => {
        const found = await this.#files.entryAt(at);
        if (found?.kind === "file" && found.sizeBytes === files[index]!.sizeBytes)
          lines[index] = lineOf(found);
        else isWhole = false;
      },
    );
    await this.#forEach(root, folders, async (at) => {
      if ((await this.#files.entryAt(at))?.kind !== "folder") isWhole = false;
    });
    await this.#forEach(
      root,
      links.map(({ path }) => path),
      async (at, _path, index) => {
        const target = await this.#files.linkAt(at);
        if (target === links[index]!.target) lines[files.length + index] = target;
        else isWhole = false;
      },
    );
    return isWhole ? createHash("sha256").update(lines.join("\n")).digest("hex") : null;
  }

  async #forEach(
    root: string,
    paths: readonly string[],
    action: (at: string, path: string, index: number) => Promise<void>,
  ): Promise<void> {
    await forEachIndex(paths.length, async (index) => {
      const at = pathBelow(root, paths[index]!);
      await action(at, paths[index]!, index).catch((error: unknown): never => {
        throw asCacheError(error, "look at", at);
      });
    });
  }
}

export const pathBelow = (root: string, path: string): string => join(root, ...path.split("/"));

const lineOf = ({ identity, sizeBytes, modifiedNs, changedNs, mode }: FileEntry): string =>
  `${identity} ${sizeBytes} ${modifiedNs} ${changedNs} ${mode}`;
