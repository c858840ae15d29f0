/**
 * Digests a stream chunk by chunk, also when the length of the stream is unknown.
 *
 * The chunk size depends on the size of the package. For an unknown length every possible chunk
 * size is digested at once. Sizes that the stream has outgrown are dropped, and the end selects the
 * right one. Memory: 32 bytes per chunk of each size.
 */
import { createHash, type Hash } from "node:crypto";
import { chunkSizeBytesMax, chunkSizeFor, digestBytes } from "../../model/manifest.ts";

type Level = { readonly chunkSizeBytes: number; hash: Hash; filled: number; readonly digests: Buffer[] };

export class ChunkDigester {
  #levels: Level[] = [];
  #totalBytes = 0;

  /** @param chunkSizeBytes null when the length of the stream is unknown */
  constructor(chunkSizeBytes: number | null) {
    let size = chunkSizeBytes ?? chunkSizeFor(0);
    const last = chunkSizeBytes ?? chunkSizeBytesMax;
    for (; size <= last; size *= 2) {
      this.#levels.push({ chunkSizeBytes: size, hash: createHash("sha256"), filled: 0, digests: [] });
    }
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
    for (const level of this.#levels) digestInto(level, bytes);
  }

  finish(): { chunkSizeBytes: number; chunkDigests: Uint8Array } {
    const level = this.#levels[0]!;
    if (level.filled > 0) level.digests.push(level.hash.digest());
    const chunkDigests = new Uint8Array(level.digests.length * digestBytes);
    for (const [chunk, digest] of level.digests.entries()) chunkDigests.set(digest, chunk * digestBytes);
    return { chunkSizeBytes: level.chunkSizeBytes, chunkDigests };
  }
}

function digestInto(level: Level, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    const take = Math.min(level.chunkSizeBytes - level.filled, bytes.length - at);
    level.hash.update(bytes.subarray(at, at + take));
    level.filled += take;
    at += take;
    if (level.filled < level.chunkSizeBytes) continue;
    level.digests.push(level.hash.digest());
    level.hash = createHash("sha256");
    level.filled = 0;
  }
}
