/**
 * Chunk size that a new version of a package takes over: chunks that did not change are then known
 * to devices. Pure.
 */
import { compareVersions } from "./version-order.ts";

type Names = { readonly name: string; readonly version: string };

/**
 * Returns the chunk size of this version if it is published, because the same content has one id;
 * else that of the highest version below it, or null.
 */
export function chunkSizeBefore(
  packages: readonly (Names & { readonly chunkSizeBytes: number })[],
  { name, version }: Names,
): number | null {
  const before = packages
    .filter((each) => each.name.toLowerCase() === name.toLowerCase())
    .filter((each) => compareVersions(each.version, version) <= 0)
    .toSorted((a, b) => compareVersions(b.version, a.version));
  return before[0]?.chunkSizeBytes ?? null;
}
