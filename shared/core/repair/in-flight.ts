/**
 * In flight: symbols that a representative sent and that the sender of a NACK cannot have counted
 * yet. A NACK names the last END its device received. Symbols sent after that END are on their way
 * or wait in the device's socket, and must not be sent twice. Lost ones are asked for after the
 * next END.
 */
import { assert } from "../../model/assert.ts";
import { wholeChunks } from "../../wire/index.ts";
import type { ChunkSet } from "../../model/chunk-set.ts";
import type { SendItem } from "./items.ts";

/**
 * Passes whose symbols are remembered. A device further behind counts as this many passes behind.
 */
const passesMax = 16;

/** Number of symbols sent, by chunk and block (`wholeChunks`: transmissions of the chunk). */
type Sent = Map<number, number>;

const keyOf = (chunk: number, block: number): number => chunk * 65_536 + block;

export class InFlight {
  /** Sent, and not named by an END yet. */
  readonly #unreported: Sent = new Map();
  /** Sent, by the pass of the END that named it. */
  readonly #reported = new Map<number, Sent>();

  /** Counts an item that is about to be sent. */
  onSend(item: SendItem): void {
    if (item.kind === "chunk") return add(this.#unreported, keyOf(item.chunk, wholeChunks), 1);
    for (const { block, count } of item.blocks) add(this.#unreported, keyOf(item.chunk, block), count);
  }

  /**
   * Assigns the symbols of these chunks to a pass.
   * @param pass END that names the chunks
   */
  onEnd(chunks: ChunkSet, pass: number): void {
    assert(pass > 0, "an END has no pass");
    const sent = this.#reported.get(pass) ?? new Map();
    for (const [key, count] of this.#unreported) {
      if (!chunks.has(Math.floor(key / 65_536))) continue;
      this.#unreported.delete(key);
      add(sent, key, count);
    }
    this.#reported.set(pass, sent);
    for (const past of this.#reported.keys()) if (past <= pass - passesMax) this.#reported.delete(past);
    assert(this.#reported.size <= passesMax, "more passes are remembered than passesMax");
  }

  /**
   * Symbols of a block that a device cannot have counted if `pass` is the last END it received.
   * Infinite when the whole chunk was sent since.
   */
  symbolsSince(chunk: number, block: number, pass: number): number {
    return this.wasChunkSentSince(chunk, pass)
      ? Number.POSITIVE_INFINITY
      : this.#since(keyOf(chunk, block), pass);
  }

  /** Whether the whole chunk was sent since the END of `pass`. */
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
  assert(count > 0, "no symbol is sent");
  sent.set(key, (sent.get(key) ?? 0) + count);
}
