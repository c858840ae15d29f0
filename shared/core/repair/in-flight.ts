/**
 * What a representative sent and a peer that asks does not know of yet. A NEED names the last END its device heard: what was sent
 * after that is on its way to the device, or waits in its socket, and is not to be sent once more. What of it gets lost is
 * asked for after the next END.
 */
import { wholeChunks } from "../../wire/index.ts";
import type { ChunkSet } from "../../model/chunk-set.ts";
import type { SendItem } from "./items.ts";

/** ENDs that a device may be behind; one further behind counts as no further. */
const passesMax = 16;

/** By chunk and block (`wholeChunks`: the chunk), symbols sent. */
type Sent = Map<number, number>;

const keyOf = (chunk: number, block: number): number => chunk * 65_536 + block;

export class InFlight {
  /** No END named it yet. */
  readonly #unreported: Sent = new Map();
  /** Named by the END of this pass. */
  readonly #reported = new Map<number, Sent>();

  /** It goes on its way. */
  onSend(item: SendItem): void {
    if (item.kind === "chunk") return add(this.#unreported, keyOf(item.chunk, wholeChunks), 1);
    for (const { block, count } of item.blocks) add(this.#unreported, keyOf(item.chunk, block), count);
  }

  /** @param pass of the END that names these chunks */
  onEnd(chunks: ChunkSet, pass: number): void {
    const sent = this.#reported.get(pass) ?? new Map();
    for (const [key, count] of this.#unreported) {
      if (!chunks.has(Math.floor(key / 65_536))) continue;
      this.#unreported.delete(key);
      add(sent, key, count);
    }
    this.#reported.set(pass, sent);
    for (const past of this.#reported.keys()) if (past <= pass - passesMax) this.#reported.delete(past);
  }

  /** Symbols of a block that a device which heard the END of `pass` last cannot have counted in. */
  symbolsSince(chunk: number, block: number, pass: number): number {
    return this.wasChunkSentSince(chunk, pass)
      ? Number.POSITIVE_INFINITY
      : this.#since(keyOf(chunk, block), pass);
  }

  /** The same of a chunk as a whole. */
  wasChunkSentSince(chunk: number, pass: number): boolean {
    return this.#since(keyOf(chunk, wholeChunks), pass) > 0;
  }

  #since(key: number, pass: number): number {
    let count = this.#unreported.get(key) ?? 0;
    for (const [ended, sent] of this.#reported) if (ended > pass) count += sent.get(key) ?? 0;
    return count;
  }
}

function add(sent: Sent, key: number, count: number): void {
  sent.set(key, (sent.get(key) ?? 0) + count);
}
