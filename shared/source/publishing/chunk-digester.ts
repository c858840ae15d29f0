/**
 * Digests the stream of a package chunk by chunk, also when it is one file of unknown length.
 *
 * The chunk size depends on the size of the package. For an unknown length every possible chunk
 * size is digested at once. Sizes that the stream has outgrown are dropped, and the end selects the
 * right one. Memory: 32 bytes per chunk of each size.
 */
import {
  chunkCount,
  chunkLength,
  chunkSizeBytesMax,
  chunkSizeFor,
  digestBytes,
  zeroRuns,
  type ChunkedFiles,
  type EncodedRun,
} from "../../model/manifest.ts";
import { zerosDigest } from "../../model/zeros-digest.ts";

type Digests = {
  readonly chunkSizeBytes: number;
  readonly chunkDigests: Uint8Array;
  readonly encodings: readonly EncodedRun[];
};

export class ChunkDigester {
  #levels: Level[];
  #totalBytes = 0;

  /** @param chunked files of the package; null for one file of unknown length */
  constructor(chunked: ChunkedFiles | null) {
    if (chunked !== null) {
      this.#levels = [new Level(chunked.chunkSizeBytes, (chunk) => chunkLength(chunked, chunk))];
      return;
    }
    this.#levels = [];
    for (let size = chunkSizeFor(0); size <= chunkSizeBytesMax; size *= 2)
      this.#levels.push(new Level(size, () => size));
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  update(bytes: Uint8Array): void {
    this.#totalBytes += bytes.length;
    if (this.#levels.length > 1) {
      const smallest = chunkSizeFor(this.#totalBytes);
      this.#levels = this.#levels.filter((level) => level.chunkSizeBytes >= smallest);
    }
    for (const level of this.#levels) level.update(bytes);
  }

  finish(): Digests {
    return this.#levels[0]!.finish();
  }
}

/** Digests of the stream for one chunk size. */
class Level {
  readonly chunkSizeBytes: number;
  readonly #lengthOf: (chunk: number) => number;
  readonly #digests: Uint8Array[] = [];
  readonly #isZeros: boolean[] = [];
  #hasher = new Bun.CryptoHasher("sha256");
  #filled = 0;
  /** Whether the bytes of the chunk that were looked at are zeros. */
  #mayBeZeros = true;

  constructor(chunkSizeBytes: number, lengthOf: (chunk: number) => number) {
    this.chunkSizeBytes = chunkSizeBytes;
    this.#lengthOf = lengthOf;
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      // A file that grew while it was read has bytes after the last chunk.
      const length = this.#lengthOf(this.#digests.length) || Infinity;
      const part = bytes.subarray(at, at + length - this.#filled);
      this.#hasher.update(part);
      this.#mayBeZeros &&= part[0] === 0 && part.at(-1) === 0;
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === length) this.#endChunk();
    }
  }

  #endChunk(): void {
    const digest = new Uint8Array(this.#hasher.digest());
    this.#isZeros.push(this.#mayBeZeros && Buffer.compare(digest, zerosDigest(this.#filled)) === 0);
    this.#digests.push(digest);
    this.#hasher = new Bun.CryptoHasher("sha256");
    this.#filled = 0;
    this.#mayBeZeros = true;
  }

  finish(): Digests {
    if (this.#filled > 0) this.#endChunk();
    const chunkDigests = new Uint8Array(this.#digests.length * digestBytes);
    for (const [chunk, digest] of this.#digests.entries()) chunkDigests.set(digest, chunk * digestBytes);
    return { chunkSizeBytes: this.chunkSizeBytes, chunkDigests, encodings: zeroRuns(this.#isZeros) };
  }
}

/** Whether the digests are those of all chunks; not so if a file changed while it was read. */
export const isComplete = ({ chunkDigests }: Digests, chunked: ChunkedFiles): boolean =>
  chunkDigests.length === chunkCount(chunked) * digestBytes;
