/**
 * Package of a simulated world: bytes in files, a manifest and its signature. Devices verify chunks
 * by the manifest's digests, as in the field. The checkers compare the bytes.
 */
import {
  chunkAt,
  chunkCount,
  chunkLength,
  chunkOffset,
  fileSpans,
  type FileSpan,
  type Manifest,
} from "../model/manifest.ts";
import { encodeManifest, packageId } from "../model/manifest-codec.ts";
import { signed, type SignedManifest } from "../model/signing.ts";
import { manifestOf, testKey } from "../model/testing.ts";
import { Random } from "./random.ts";

/**
 * One key for all worlds, because generating a key takes longer than a small world. The key differs
 * from run to run: no frame and no line of a history depends on it.
 */
const publisher = testKey();
/** Bytes at the beginning of the package in which small files are drawn. */
const smallFileBytes = 1_500;

export class Package {
  readonly manifest: Manifest;
  readonly signed: SignedManifest;
  readonly id: string;
  readonly publisherKey: Uint8Array = publisher.publicKey;
  readonly chunkCount: number;
  readonly #stream: Uint8Array;

  constructor(seed: number, options: { chunks: number; chunkBytes: number; isEven: boolean }) {
    const { chunks, chunkBytes: chunkSizeBytes, isEven } = options;
    const random = new Random(seed, "content");
    const lastBytes = isEven ? chunkSizeBytes : random.whole(1, chunkSizeBytes);
    const sizeBytes = (chunks - 1) * chunkSizeBytes + lastBytes;
    this.#stream = pseudorandomBytes(sizeBytes, random.whole(0, 0xffff_ffff));
    this.manifest = manifestOf(this.#stream, {
      files: drawFiles(random, sizeBytes, isEven ? chunkSizeBytes : 1),
      chunkSizeBytes,
    });
    const bytes = encodeManifest(this.manifest);
    this.id = packageId(bytes);
    this.signed = signed(bytes, publisher);
    this.chunkCount = chunkCount(this.manifest);
  }

  get sizeBytes(): number {
    return this.manifest.sizeBytes;
  }

  offsetOf(chunk: number): number {
    return chunkOffset(this.manifest, chunk);
  }

  lengthOf(chunk: number): number {
    return chunkLength(this.manifest, chunk);
  }

  /** Returns the chunk that contains this byte of the stream. */
  chunkAt(offset: number): number {
    return chunkAt(this.manifest, offset);
  }

  bytesOf(chunk: number): Uint8Array {
    const offset = chunkOffset(this.manifest, chunk);
    return this.#stream.subarray(offset, offset + this.lengthOf(chunk));
  }

  /** Returns bytes of the stream, which is all files in their order. */
  bytesAt(offset: number, length: number): Uint8Array {
    return this.#stream.subarray(offset, offset + length);
  }

  spansOf(chunk: number): FileSpan[] {
    return fileSpans(this.manifest, chunkOffset(this.manifest, chunk), this.lengthOf(chunk));
  }
}

/**
 * Draws one to five files, some of them small, so that chunks hold several files. A file may be
 * empty.
 * @param unitBytes unit of all sizes but the last one
 */
function drawFiles(random: Random, sizeBytes: number, unitBytes: number): Manifest["files"] {
  const cuts = Array.from({ length: random.whole(0, 2) }, () => random.whole(0, sizeBytes));
  const smallBytes = Math.min(sizeBytes, smallFileBytes);
  if (random.chance(0.3)) cuts.push(...[1, 2].map(() => random.whole(0, smallBytes)));
  const whole = cuts.map((cut) => cut - (cut % unitBytes));
  const ends = [...whole.toSorted((a, b) => a - b), sizeBytes];
  return ends.map((end, index) => ({
    path: `data/${index}.bin`,
    sizeBytes: end - (ends[index - 1] ?? 0),
    mode: index === 0 ? 0o755 : 0o644,
  }));
}

/** Returns bytes of a xorshift generator, which is faster than Random.bytes: four bytes a step. */
function pseudorandomBytes(length: number, start: number): Uint8Array {
  const words = new Uint32Array((length + 3) >>> 2);
  let word = start | 1;
  for (let i = 0; i < words.length; i++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[i] = word;
  }
  return new Uint8Array(words.buffer, 0, length);
}
