/** Decides whether the bytes of a chunk are the published ones: in memory, and in its files. */
import { chunkDigest, chunkLength, chunkOffset, type Manifest } from "../model/manifest.ts";
import type { IoPath } from "./files.ts";
import type { PackageFiles } from "./package-files.ts";

export class ChunkCheck {
  readonly #manifest: Manifest;
  readonly #files: PackageFiles;
  /**
   * xxHash3 of each written chunk until its read-back. The digest was right in memory, so comparing
   * the file with the written bytes needs no second SHA-256. xxHash3 is twenty times as fast (29
   * versus 1.4 GB/s).
   */
  readonly #writtenSums = new Map<number, number | bigint>();

  /** Checksum of zeros of the last length asked for; most chunks have one length. */
  #zeros: { length: number; sum: number | bigint } = { length: 0, sum: 0 };

  constructor(manifest: Manifest, files: PackageFiles) {
    this.#manifest = manifest;
    this.#files = files;
  }

  digestMatches(chunk: number, bytes: Uint8Array): boolean {
    if (bytes.length !== chunkLength(this.#manifest, chunk)) return false;
    const digest = new Bun.CryptoHasher("sha256").update(bytes).digest();
    return digest.equals(chunkDigest(this.#manifest, chunk));
  }

  /** @param bytes whose digest is right, and that are about to be written */
  willWrite(chunk: number, bytes: Uint8Array): void {
    this.#writtenSums.set(chunk, Bun.hash.xxHash3(bytes));
  }

  willWriteZeros(chunk: number): void {
    const length = chunkLength(this.#manifest, chunk);
    if (this.#zeros.length !== length)
      this.#zeros = { length, sum: Bun.hash.xxHash3(new Uint8Array(length)) };
    this.#writtenSums.set(chunk, this.#zeros.sum);
  }

  forget(chunk: number): void {
    this.#writtenSums.delete(chunk);
  }

  /**
   * Compares a chunk's files with the checksum of the written bytes, or with the digest if none is
   * kept.
   * @param buffer for at least one chunk
   */
  async isOnDisk(chunk: number, buffer: Uint8Array, path: IoPath): Promise<boolean> {
    const bytes = buffer.subarray(0, chunkLength(this.#manifest, chunk));
    const whole = await this.#files.read(chunkOffset(this.#manifest, chunk), bytes, path);
    const writtenSum = this.#writtenSums.get(chunk);
    if (writtenSum === undefined) return whole && this.digestMatches(chunk, bytes);
    this.#writtenSums.delete(chunk);
    return whole && Bun.hash.xxHash3(bytes) === writtenSum;
  }
}
