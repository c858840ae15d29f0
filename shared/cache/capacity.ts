/**
 * How much room a package needs and who has to go for it. Pure: sizes in, a plan or a reason out.
 *
 * Room is reserved when a package is begun: what the packages under way still lack counts as used. A little of the
 * disk stays free, because a system whose disk is full to the last byte fails in places far from here.
 */
import { formatSize } from "../model/quantity.ts";

/** 2 % of a small disk, 256 MiB of a large one. */
export const keptFreeBytes = (diskBytes: number): number =>
  Math.min(256 * 1_048_576, Math.floor(diskBytes / 50));

export type Candidate = {
  readonly id: string;
  readonly state: "partial" | "complete";
  /** What its removal gives back to the cap, and to the disk. */
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly lastUsedAtMs: number;
};
export type RoomRequest = {
  readonly title: string;
  readonly sizeBytes: number;
  /** What is still to be written of it. */
  readonly missingBytes: number;
  /** Sizes of every other package, whole. */
  readonly usedBytes: number;
  readonly maxBytes: number | null;
  /** Of the disk, less what other packages under way still lack and what is kept free. */
  readonly freeBytes: number;
  /** Packages that nobody uses. */
  readonly candidates: readonly Candidate[];
};
export type RoomPlan =
  | { readonly ok: true; readonly evict: string[] }
  | { readonly ok: false; readonly code: "cache-cap" | "disk-full"; readonly message: string };

/** Complete packages before half ones, the least recently used first. */
export const evictionOrder = (candidates: readonly Candidate[]): Candidate[] =>
  candidates.toSorted((a, b) =>
    a.state === b.state ? a.lastUsedAtMs - b.lastUsedAtMs : a.state === "complete" ? -1 : 1,
  );

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
        "(the rest is kept free or promised to packages under way): free space on it, or give the agent a --data folder on a larger disk",
    };
  }
  return {
    ok: false,
    code: "cache-cap",
    message:
      `${title} needs ${formatSize(sizeBytes)} in a cache of ${formatSize(maxBytes ?? 0)} of which ${formatSize(usedBytes)} are in use by tasks: ` +
      "raise cacheMaxBytes, or wait until a task is done",
  };
}

/** The packages that leave by age or to get below the cap, without anyone asking for room. */
export function planEviction(request: {
  readonly candidates: readonly Candidate[];
  readonly usedBytes: number;
  readonly maxBytes: number | null;
  readonly maxAgeMs: number | null;
  readonly nowMs: number;
}): string[] {
  let { usedBytes } = request;
  const evict: string[] = [];
  for (const candidate of evictionOrder(request.candidates)) {
    const old = request.maxAgeMs !== null && request.nowMs - candidate.lastUsedAtMs > request.maxAgeMs;
    const over = request.maxBytes !== null && usedBytes > request.maxBytes;
    if (!old && !over) continue;
    evict.push(candidate.id);
    usedBytes -= candidate.sizeBytes;
  }
  return evict;
}
