/**
 * Decides whether a package fits into the cache, and which packages are evicted for it. Pure: takes
 * sizes, returns a plan or a reason.
 *
 * Room is reserved when a package is begun: the missing bytes of packages being fetched count as
 * used. Part of the disk stays free, because other programs fail on a full disk.
 */
import { diskShareBytes, type DiskShare } from "../model/disk-share.ts";
import { formatSize } from "../model/quantity.ts";

/**
 * Returns the bytes that the cache leaves free: the share of the setting, and never less than 2 %
 * of the disk or 256 MiB, whichever is smaller.
 */
export const keptFreeBytes = (diskBytes: number, share: DiskShare): number =>
  Math.max(Math.min(256 * 1_048_576, Math.floor(diskBytes / 50)), diskShareBytes(share, diskBytes));

export type Candidate = {
  readonly id: string;
  readonly state: "partial" | "complete";
  /** Size of the whole package, which counts against the cap. */
  readonly sizeBytes: number;
  /** Bytes on the disk. */
  readonly storedBytes: number;
  /** By the device's clock. Orders packages that were used since the last answer of the source. */
  readonly lastUsedAtMs: number;
  /** Time of the source; null: used since its last answer. */
  readonly unusedSinceMs: number | null;
};
export type RoomRequest = {
  readonly title: string;
  readonly sizeBytes: number;
  /** Bytes of the package that are not yet written. */
  readonly missingBytes: number;
  /** Sum of the sizes of all other packages, whether fetched or not. */
  readonly usedBytes: number;
  readonly maxBytes: number | null;
  /**
   * Free bytes of the disk, less those kept free and those that other packages being fetched are
   * still missing.
   */
  readonly freeBytes: number;
  /** Packages that may be evicted: no task, reader or download uses them. */
  readonly candidates: readonly Candidate[];
};
type RoomPlan =
  | { readonly ok: true; readonly evict: string[] }
  | { readonly ok: false; readonly code: "cache-cap" | "disk-full"; readonly message: string };

/** Sorts complete packages before partial ones, then the least recently used first. */
export const evictionOrder = (candidates: readonly Candidate[]): Candidate[] =>
  candidates.toSorted((a, b) =>
    a.state === b.state
      ? usedAt(a) - usedAt(b) || a.lastUsedAtMs - b.lastUsedAtMs
      : a.state === "complete"
        ? -1
        : 1,
  );
const usedAt = ({ unusedSinceMs }: Candidate): number => unusedSinceMs ?? Number.MAX_VALUE;

/** Returns the packages to evict for a new one, in order; or why it cannot fit. */
export function planRoom(request: RoomRequest): RoomPlan {
  const { title, sizeBytes, missingBytes, maxBytes } = request;
  if (maxBytes !== null && sizeBytes > maxBytes) {
    return {
      ok: false,
      code: "cache-cap",
      message: `${title} has ${formatSize(sizeBytes)}, the cache may hold ${formatSize(maxBytes)}: set cacheMaxBytes to ${sizeBytes} or more`,
    };
  }
  let { usedBytes, freeBytes } = request;
  const evict: string[] = [];
  const fits = (): boolean =>
    (maxBytes === null || usedBytes + sizeBytes <= maxBytes) && freeBytes >= missingBytes;
  for (const candidate of evictionOrder(request.candidates)) {
    if (fits()) break;
    evict.push(candidate.id);
    usedBytes -= candidate.sizeBytes;
    freeBytes += candidate.storedBytes;
  }
  if (fits()) return { ok: true, evict };
  if (freeBytes < missingBytes) {
    return {
      ok: false,
      code: "disk-full",
      message:
        `${title} needs ${formatSize(missingBytes)} more on this disk, ${formatSize(Math.max(0, freeBytes))} can be used ` +
        "(the rest is kept free by cacheKeepFree, or reserved for packages being fetched): free space on it, or give the agent a --data folder on a larger disk",
    };
  }
  return {
    ok: false,
    code: "cache-cap",
    message:
      `${title} needs ${formatSize(sizeBytes)} in a cache of ${formatSize(maxBytes ?? 0)}, of which ${formatSize(usedBytes)} are in use: ` +
      "raise cacheMaxBytes, or wait until a task is done",
  };
}

/**
 * Returns the packages to evict because of their age, or because the cache exceeds its cap or
 * leaves too little of the disk free.
 */
export function planEviction(request: {
  readonly candidates: readonly Candidate[];
  readonly usedBytes: number;
  readonly maxBytes: number | null;
  readonly maxAgeMs: number | null;
  /** Bytes that have to become free; none if it is not above 0. */
  readonly lackingBytes: number;
  readonly nowMs: number;
}): string[] {
  let { usedBytes, lackingBytes } = request;
  const evict: string[] = [];
  for (const candidate of evictionOrder(request.candidates)) {
    const ageMs = candidate.unusedSinceMs === null ? 0 : request.nowMs - candidate.unusedSinceMs;
    const old = request.maxAgeMs !== null && ageMs > request.maxAgeMs;
    const over = request.maxBytes !== null && usedBytes > request.maxBytes;
    if (!old && !over && lackingBytes <= 0) continue;
    evict.push(candidate.id);
    usedBytes -= candidate.sizeBytes;
    lackingBytes -= candidate.storedBytes;
  }
  return evict;
}
