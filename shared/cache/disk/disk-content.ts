/** Content of a disk, as its first and last bytes tell it. Pure. */
import type { DiskContent } from "../image-disk.ts";

/** Block that holds the mark; no disk in use has larger logical sectors. */
export const headBytes = 4_096;
/** Part at each end of a disk that is looked at. */
export const edgeBytes = 1_048_576;

const markWords = "flockcast: this disk holds a part of an image\n";

/** Returns the first block of a disk while an image is written to it. */
export function markOf(packageId: string): Uint8Array {
  const block = new Uint8Array(headBytes);
  block.set(Buffer.from(`${markWords}${packageId}\n`, "latin1"));
  return block;
}

/** Name, offset from the begin of the disk, and text there. */
const signatures = [
  ["a GPT partition table", 512, "EFI PART"],
  ["a LUKS volume", 0, "LUKS\u00ba\u00be"],
  ["a BitLocker volume", 3, "-FVE-FS-"],
  ["an NTFS file system", 3, "NTFS    "],
  ["an exFAT file system", 3, "EXFAT   "],
  ["a FAT file system", 54, "FAT"],
  ["a FAT file system", 82, "FAT32"],
  ["an XFS file system", 0, "XFSB"],
  ["an ext file system", 1_080, "\u0053\u00ef"],
  ["a btrfs file system", 65_600, "_BHRfS_M"],
  ["an LVM volume", 512, "LABELONE"],
  ["swap space", 4_086, "SWAPSPACE2"],
  ["an ISO 9660 file system", 32_769, "CD001"],
  ["a squashfs file system", 0, "hsqs"],
  ["an MBR partition table", 510, "\u0055\u00aa"],
] as const;

const textAt = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.subarray(at, at + length)).toString("latin1");

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/**
 * @param first bytes at the begin of the disk
 * @param last bytes at its end
 */
export function contentOf(first: Uint8Array, last: Uint8Array): DiskContent {
  if (textAt(first, 0, markWords.length) === markWords) {
    const packageId = textAt(first, markWords.length, 64);
    if (/^[0-9a-f]{64}$/.test(packageId)) return { kind: "begun", packageId };
  }
  const known = signatures.find(([, at, text]) => textAt(first, at, text.length) === text);
  if (known !== undefined) return { kind: "data", found: known[0] };
  if (textAt(last, last.length - 512, 8) === "EFI PART")
    return { kind: "data", found: "the copy of a GPT partition table" };
  return isZero(first) && isZero(last)
    ? { kind: "empty" }
    : { kind: "data", found: "data of an unknown kind" };
}
