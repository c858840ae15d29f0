/**
 * A whole disk as the file of a package: the port between the cache and the disk that an image is
 * written to. disk/system-disk.ts implements it.
 *
 * The first block of the disk holds a mark with the package's id until the image is complete. A
 * disk with a part of an image therefore never starts, and is known for what it is after a power
 * cut.
 */
import type { OpenFile } from "./files.ts";

/**
 * - `empty`: first and last MiB are zeros
 * - `begun`: flockcast began to write the package with this id
 * - `data`: anything else, with what was recognized
 */
export type DiskContent =
  | { readonly kind: "empty" }
  | { readonly kind: "begun"; readonly packageId: string }
  | { readonly kind: "data"; readonly found: string };

export type ImageDisk = {
  /** Path of the disk, for messages. */
  readonly path: string;
  /** File of the image: the first bytes of the disk. Its `close` does nothing. */
  readonly file: OpenFile;
  /** False once other programs may use the disk: the image is not written any more. */
  readonly isClaimed: boolean;
  content(): Promise<DiskContent>;
  /**
   * Writes the mark. From now on the first block is in memory, until `sync("all")` writes it.
   * @param keepsHead whether the first block of the image is on the disk
   */
  begin(packageId: string, keepsHead: boolean): Promise<void>;
  /** Lets other programs use the disk, once the kernel read its partitions. It stays readable. */
  release(): void;
  /** Releases the disk and closes its file. */
  close(): Promise<void>;
};
