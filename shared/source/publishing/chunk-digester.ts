/**
 * Digests a stream of bytes chunk by chunk, also when nobody knows yet how long the stream is.
 *
 * The chunk size follows the package's size. When that is unknown, every size still possible is digested at once and
 * the right one is taken at the end; sizes that the stream has outgrown are dropped. Memory: 32 bytes a chunk.
 */
import { createHash, type Hash } from "node:crypto";
import { chunkSizeBytesMax, chunkSizeFor, digestBytes } from "../../model/manifest.ts";

type Level = { readonly chunkSizeBytes: number; hash: Hash; filled: number; readonly digests: Buffer[] };

export class ChunkDigester {
  #levels: Level[] = [];
  #totalBytes = 0;

  /** @param chunkSizeBytes when the size of the stream is known, else null. */
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
