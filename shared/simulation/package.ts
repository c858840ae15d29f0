/**
 * Package of a simulated world: bytes in files, a manifest and its signature. Devices verify chunks
 * by the manifest's digests, as in the field. The checkers compare the bytes.
 */
import {
  chunkCount,
  chunkLength,
  chunkOffset,
  encodeManifest,
  fileSpans,
  packageId,
  type FileSpan,
  type Manifest,
} from "../model/manifest.ts";
import { signed, type SignedManifest } from "../model/signing.ts";
import { testKey } from "../model/testing.ts";
import { Random } from "./random.ts";

/**
 * One key for all worlds, because generating a key takes longer than a small world. The key differs
 * from run to run: no frame and no line of a history depends on it.
 */
const publisher = testKey();

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
    const digests = Array.from({ length: chunks }, (_, chunk) =>
      new Bun.CryptoHasher("sha256")
        .update(this.#stream.subarray(chunk * chunkSizeBytes, (chunk + 1) * chunkSizeBytes))
        .digest(),
    );
    this.manifest = {
      format: 1,
      name: "tool",
      version: "1.0",
      files: drawFiles(random, sizeBytes),
      sizeBytes,
      chunkSizeBytes,
      chunkDigests: new Uint8Array(Buffer.concat(digests)),
    };
    const bytes = encodeManifest(this.manifest);
    this.id = packageId(bytes);
    this.signed = signed(bytes, publisher);
    this.chunkCount = chunkCount(this.manifest);
  }

  get sizeBytes(): number {
    return this.manifest.sizeBytes;
  }

  lengthOf(chunk: number): number {
    return chunkLength(this.manifest, chunk);
  }

  /** Returns the chunk that contains this byte of the stream. */
  chunkAt(offset: number): number {
    return Math.floor(offset / this.manifest.chunkSizeBytes);
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

/** Draws one to three files, so that chunks span files. A file may be empty. */
function drawFiles(random: Random, sizeBytes: number): Manifest["files"] {
  const cuts = Array.from({ length: random.whole(0, 2) }, () => random.whole(0, sizeBytes));
  const ends = [...cuts.toSorted((a, b) => a - b), sizeBytes];
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
