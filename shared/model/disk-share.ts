/** Share of a disk, in percent or as a number of bytes: "10%", "20GiB". Pure. */
import * as v from "valibot";
import { formatSize, parseSizeBytes } from "./quantity.ts";

const percent = v.pipe(v.number(), v.minValue(0), v.maxValue(90));
const bytes = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
export const diskShareSchema = v.union(
  [v.strictObject({ percent }), v.strictObject({ bytes })],
  "it is a size, or a share from 0% to 90%",
);
export type DiskShare = v.InferOutput<typeof diskShareSchema>;

/** @throws Error that quotes the text and shows valid examples */
export function parseDiskShare(text: string): DiskShare {
  const found = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim());
  if (found) return { percent: Number(found[1]) };
  try {
    return { bytes: parseSizeBytes(text) };
  } catch (error) {
    throw new Error(`"${text}" is not a share of a disk: write for example 10% or 20GiB`, { cause: error });
  }
}

export const formatDiskShare = (share: DiskShare): string =>
  "percent" in share ? `${share.percent}%` : formatSize(share.bytes);

export const diskShareBytes = (share: DiskShare, diskBytes: number): number =>
  "percent" in share ? Math.floor((diskBytes * share.percent) / 100) : share.bytes;
