/**
 * Compares a device's files with the original: SHA-256 of every file, no missing and no additional
 * file. Uses neither the manifest nor the reports of any program.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";

/** Relative path with "/" → SHA-256 in hex. */
export type Digests = ReadonlyMap<string, string>;

export async function digestFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest("hex");
}

/** Digests of a file, under its own name, or of all files below a folder. Empty without a file. */
export async function digestTree(path: string): Promise<Digests> {
  const found = await stat(path).catch(() => null);
  if (!found) return new Map();
  if (found.isFile()) return new Map([[basename(path), await digestFile(path)]]);
  const digests = new Map<string, string>();
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const file = join(entry.parentPath, entry.name);
    digests.set(relative(path, file).split(sep).join("/"), await digestFile(file));
  }
  return digests;
}

/** Size of a file, or of all files below a folder, in bytes. */
export async function sizeOfTree(path: string): Promise<number> {
  const found = await stat(path);
  if (found.isFile()) return found.size;
  let sizeBytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isDirectory()) sizeBytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return sizeBytes;
}

/** Returns the bytes that a file, or all files below a folder, occupy on the disk. */
export async function diskBytesOf(path: string): Promise<number> {
  const found = await stat(path);
  if (found.isFile()) return found.blocks * 512;
  const entries = await readdir(path);
  const sizes = await Promise.all(entries.map((entry) => diskBytesOf(join(path, entry))));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Returns null when `copy` holds exactly the original's files, otherwise the first difference. */
export async function differenceFrom(original: Digests, copy: string): Promise<string | null> {
  const copied = await digestTree(copy);
  if (copied.size === 0) return `nothing at ${copy}`;
  for (const [path, digest] of original) {
    if (!copied.has(path)) return `"${path}" is missing in ${copy}`;
    if (copied.get(path) !== digest) return `"${path}" differs from the original in ${copy}`;
  }
  const more = [...copied.keys()].find((path) => !original.has(path));
  return more === undefined ? null : `"${more}" in ${copy} is not part of the package`;
}
