/**
 * Implements the disk of an image (image-disk.ts) with a block device of the operating system.
 *
 * Whole pages are read past the page cache, so that what is read back comes from the disk.
 */
import type { DiskFacts } from "../../model/image-order.ts";
import { platform, type DiskClaim } from "../../platform/index.ts";
import { asCacheError, CacheError, errorCode } from "../cache-error.ts";
import type { FileState, IoPath, OpenFile } from "../files.ts";
import type { DiskContent, ImageDisk } from "../image-disk.ts";
import { contentOf, edgeBytes, headBytes, markOf } from "./disk-content.ts";
import { DiskPace, SystemFile } from "./system-file.ts";

/** Bytes that the disk is asked to make zero at once: other work has its turn in between. */
const zeroStepBytes = 32 * 1_048_576;
/** End of an image that may be too short for a read past the page cache. */
const cachedEndBytes = 131_072;

/**
 * Claims a disk for an image.
 * @throws CacheError "in-use" when it is mounted or otherwise used; or "io"
 */
export async function openSystemDisk(disk: DiskFacts, imageBytes: number): Promise<ImageDisk> {
  const { path } = disk;
  let claim: DiskClaim | null = null;
  try {
    claim = platform.claimDisk(path);
    const file = await SystemFile.open(path, "write", 0, new DiskPace());
    return new SystemDisk(disk, claim, file, imageBytes);
  } catch (error) {
    claim?.release();
    if (errorCode(error) === "EBUSY") throw new CacheError("in-use", `"${path}" is in use`, { cause: error });
    throw asCacheError(error, "open the disk", path);
  }
}

class SystemDisk implements ImageDisk {
  readonly path: string;
  readonly file: OpenFile;
  readonly #sizeBytes: number;
  readonly #inner: SystemFile;
  readonly #image: DiskImage;
  #isOpen = true;

  constructor({ path, sizeBytes }: DiskFacts, claim: DiskClaim, inner: SystemFile, imageBytes: number) {
    this.path = path;
    this.#sizeBytes = sizeBytes;
    this.#inner = inner;
    this.#image = new DiskImage(path, imageBytes, claim, inner);
    this.file = this.#image;
  }

  get isClaimed(): boolean {
    return this.#image.isClaimed;
  }

  async content(): Promise<DiskContent> {
    const edge = Math.min(edgeBytes, this.#sizeBytes);
    const first = new Uint8Array(edge);
    const last = new Uint8Array(edge);
    await this.#inner.read(first, 0, "direct");
    await this.#inner.read(last, this.#sizeBytes - edge, "direct");
    return contentOf(first, last);
  }

  async begin(packageId: string, keepsHead: boolean): Promise<void> {
    try {
      await this.#image.begin(markOf(packageId), keepsHead);
    } catch (error) {
      throw asCacheError(error, "write to the disk", this.path);
    }
  }

  release(): void {
    this.#image.release();
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.release();
    await this.#inner.close();
  }
}

/** File of the image. `#head` is its first block while the disk has the mark there. */
class DiskImage implements OpenFile {
  readonly #path: string;
  readonly #imageBytes: number;
  readonly #claim: DiskClaim;
  readonly #inner: SystemFile;
  #head: Uint8Array | null = null;
  #mark: Uint8Array = new Uint8Array(0);
  #stage: "claimed" | "begun" | "released" = "claimed";
  #mode = 0;

  constructor(path: string, imageBytes: number, claim: DiskClaim, inner: SystemFile) {
    this.#path = path;
    this.#imageBytes = imageBytes;
    this.#claim = claim;
    this.#inner = inner;
  }

  get isClaimed(): boolean {
    return this.#stage !== "released";
  }

  async begin(mark: Uint8Array, keepsHead: boolean): Promise<void> {
    if (this.#stage !== "claimed") return;
    const head = new Uint8Array(headBytes);
    if (keepsHead) await this.#inner.read(head, 0, "direct");
    await this.#inner.write(mark, 0, headBytes, 0, "cached");
    await this.#inner.sync("data");
    this.#head = head;
    this.#mark = mark;
    this.#stage = "begun";
  }

  release(): void {
    this.#stage = "released";
    this.#claim.release();
  }

  async write(bytes: Uint8Array, at: number, length: number, position: number, path: IoPath): Promise<void> {
    if (this.#stage !== "begun")
      throw new CacheError("io", `The disk "${this.#path}" is released, and not written any more`);
    const inHead = this.#inHead(position, length);
    if (inHead > 0) this.#head!.set(bytes.subarray(at, at + inHead), position);
    if (inHead < length)
      await this.#inner.write(bytes, at + inHead, length - inHead, position + inHead, path);
  }

  /** Returns how many of these bytes are in the first block, if that is in memory. */
  #inHead(position: number, length: number): number {
    return this.#head === null ? 0 : Math.min(length, Math.max(0, headBytes - position));
  }

  async read(into: Uint8Array, position: number, _path: IoPath): Promise<number> {
    const length = Math.max(0, Math.min(into.length, this.#imageBytes - position));
    const inHead = this.#inHead(position, length);
    if (inHead > 0) into.set(this.#head!.subarray(position, position + inHead));
    const rest = into.subarray(inHead, length);
    return inHead + (rest.length > 0 ? await this.#inner.read(rest, position + inHead, "direct") : 0);
  }

  async zero(position: number, length: number): Promise<boolean> {
    if (this.#stage !== "begun") return false;
    const inHead = this.#inHead(position, length);
    this.#head?.fill(0, position, position + inHead);
    const end = position + length;
    const wholeEnd = end - (end % headBytes);
    for (let at = position + inHead; at < wholeEnd; at += zeroStepBytes) {
      if (at % headBytes !== 0 || !this.#claim.zero(at, Math.min(zeroStepBytes, wholeEnd - at))) return false;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const rest = end - Math.max(wholeEnd, position + inHead);
    if (rest > 0) await this.#inner.write(new Uint8Array(rest), 0, rest, end - rest, "cached");
    return true;
  }

  /**
   * "all" is the end: everything is on the disk before the first block takes the mark's place. What
   * was read back from the page cache, first block and end, is then read from the disk.
   * @throws CacheError "bad-disk" when the disk does not have it
   */
  async sync(what: "data" | "all"): Promise<void> {
    await this.#inner.sync("data");
    const head = this.#head;
    if (what === "data" || head === null) return;
    const endAt = Math.max(headBytes, this.#imageBytes - cachedEndBytes);
    const end = await this.#cached(endAt, this.#imageBytes - endAt);
    await this.#inner.write(head, 0, headBytes, 0, "cached");
    await this.#inner.sync("data");
    this.#claim.dropCached();
    const isKept = async (at: number, written: Uint8Array): Promise<boolean> =>
      Buffer.compare(await this.#cached(at, written.length), written) === 0;
    if (!(await isKept(0, head))) await this.#refuse("first block");
    if (!(await isKept(endAt, end))) await this.#refuse("end of the image");
    this.#head = null;
  }

  /** The mark returns, so that the machine does not start from the disk. */
  async #refuse(what: string): Promise<never> {
    await this.#inner.write(this.#mark, 0, headBytes, 0, "cached");
    await this.#inner.sync("data");
    const text = `The ${what} on "${this.#path}" is not as it was written: replace the disk`;
    throw new CacheError("bad-disk", text);
  }

  async #cached(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, length));
    await this.#inner.read(bytes, position, "cached");
    return bytes;
  }

  /** A released disk differs from a claimed one: other programs may have changed it. */
  state(): FileState {
    const changedNs = this.#stage === "released" ? 1n : 0n;
    return {
      identity: `disk:${this.#path}`,
      sizeBytes: this.#imageBytes,
      modifiedNs: changedNs,
      changedNs,
      mode: this.#mode,
    };
  }

  async setMode(mode: number): Promise<void> {
    this.#mode = mode;
  }

  async close(): Promise<void> {}
}
