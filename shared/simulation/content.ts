/**
 * The package of a simulated world: real bytes and their SHA-256. What a device accepts is judged by the digest, as in
 * the program; the checkers compare with the bytes themselves.
 */
import { Random } from "./random.ts";

export class Content {
  readonly chunkCount: number;
  readonly chunkBytes: number;
  readonly #chunks: Uint8Array[] = [];
  readonly #digests: Buffer[] = [];
  readonly #lastBytes: number;

  /** The last chunk is shorter. */
  constructor(seed: number, chunkCount: number, chunkBytes: number) {
    const random = new Random(seed, "content");
    this.chunkCount = chunkCount;
    this.chunkBytes = chunkBytes;
    this.#lastBytes = random.whole(1, chunkBytes);
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      const bytes = filled(this.lengthOf(chunk), random.whole(0, 0xffff_ffff));
      this.#chunks.push(bytes);
      this.#digests.push(digestOf(bytes));
    }
  }

  lengthOf(chunk: number): number {
    return chunk === this.chunkCount - 1 ? this.#lastBytes : this.chunkBytes;
  }

  bytesOf(chunk: number): Uint8Array {
    return this.#chunks[chunk]!;
  }

  /** What the program asks: is the digest right? */
  isRight(chunk: number, bytes: Uint8Array): boolean {
    return bytes.length === this.lengthOf(chunk) && digestOf(bytes).equals(this.#digests[chunk]!);
  }

  /** What the checkers ask: are these the bytes that were published? */
  isTrue(chunk: number, bytes: Uint8Array | undefined): boolean {
    return bytes !== undefined && Buffer.compare(bytes, this.#chunks[chunk]!) === 0;
  }
}

const digestOf = (bytes: Uint8Array): Buffer => new Bun.CryptoHasher("sha256").update(bytes).digest();

/** Four bytes at a step: a world needs thousands of them. */
function filled(length: number, start: number): Uint8Array {
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
