/** Verified chunks of a package, where each came from, and which of them changed on the disk. */
import { ChunkSet } from "../model/chunk-set.ts";
import type { ChunkOrigin, ChunkRow, OriginBytes } from "./ledger.ts";

export class VerifiedChunks {
  readonly set: ChunkSet;
  readonly originBytes: OriginBytes = { wan: 0, multicast: 0, peers: 0, cache: 0 };
  readonly #origins = new Map<number, ChunkOrigin>();
  /** Not offered until a check drops them. */
  readonly #corrupt: ChunkSet;

  constructor(chunkCount: number) {
    this.set = new ChunkSet(chunkCount);
    this.#corrupt = new ChunkSet(chunkCount);
  }

  get bytes(): number {
    const { wan, multicast, peers, cache } = this.originBytes;
    return wan + multicast + peers + cache;
  }

  add({ chunk, bytes, origin }: Pick<ChunkRow, "chunk" | "bytes" | "origin">): void {
    if (!this.set.add(chunk)) return;
    this.#origins.set(chunk, origin);
    this.originBytes[origin] += bytes;
  }

  delete(chunk: number, bytes: number): void {
    this.#corrupt.delete(chunk);
    if (!this.set.delete(chunk)) return;
    this.originBytes[this.#origins.get(chunk)!] -= bytes;
    this.#origins.delete(chunk);
  }

  originOf(chunk: number): ChunkOrigin | undefined {
    return this.#origins.get(chunk);
  }

  markCorrupt(chunk: number): void {
    this.#corrupt.add(chunk);
  }

  markIntact(chunk: number): void {
    this.#corrupt.delete(chunk);
  }

  /** Chunks that other devices may fetch: the verified ones, except those found corrupt. */
  get offered(): ChunkSet {
    if (this.#corrupt.isEmpty) return this.set;
    const offered = this.set.clone();
    offered.deleteAll(this.#corrupt);
    return offered;
  }
}
