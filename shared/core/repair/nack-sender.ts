/**
 * NACK sender of a peer. After an END it looks which of the named chunks are incomplete and waits a
 * random back-off. It leaves out what another peer already asked for and sends the rest once (NACK
 * suppression, RFC 5401). Feedback therefore does not grow with the number of peers that lost the
 * same symbols.
 */
import { assert } from "../../model/assert.ts";
import { ChunkSet } from "../../model/chunk-set.ts";
import { itemsWithin, limits, wholeChunks } from "../../wire/index.ts";
import { needDelayMs, peerNacksMax, needFramesMax, timing } from "../timing.ts";

/**
 * Calls `add` with the number of missing symbols of every incomplete block. Returns false, without
 * a call, when no symbol of the chunk was received.
 */
export type MissingSymbols = (chunk: number, add: (block: number, count: number) => void) => boolean;

/** A chunk, a block and a count in msgpack. */
const entryBytesMax = 13;
/** Upper bound on blocks remembered from NACKs of other peers. */
const askedByPeersMax = 16_384;

export class NackSender {
  /** Whether the multicast was running when this device joined. */
  readonly joinsLate: boolean;
  readonly #held: ChunkSet;
  /**
   * Whether a late joiner still waits for its first END. Chunks that this END names may have been
   * sent before the device listened; they are asked for only if a symbol of them was received.
   */
  #awaitsFirstEnd: boolean;
  readonly #sentBeforeJoin: ChunkSet;
  /** Chunks to ask for. */
  readonly #toAsk: ChunkSet;
  /**
   * Chunks asked for, by this peer or another. The next END that names them, or a long silence,
   * makes them due again.
   */
  readonly #asked: ChunkSet;
  readonly #askedByPeers = new Map<number, number>();
  /** NEEDs of other peers since the last END. */
  #peerNacks = 0;
  #dueAtMs: number | null = null;
  #repeatAtMs: number | null = null;
  #askedCount = 0;
  #heldAtAsk = -1;

  /**
   * @param held live set of the chunks this device holds
   * @param joinsLate the multicast was running when this device joined
   */
  constructor(held: ChunkSet, joinsLate = false) {
    this.joinsLate = joinsLate;
    this.#held = held;
    this.#awaitsFirstEnd = joinsLate;
    this.#sentBeforeJoin = new ChunkSet(held.size);
    this.#toAsk = new ChunkSet(held.size);
    this.#asked = new ChunkSet(held.size);
  }

  get dueAtMs(): number | null {
    if (this.#dueAtMs === null || this.#repeatAtMs === null) return this.#dueAtMs ?? this.#repeatAtMs;
    return Math.min(this.#dueAtMs, this.#repeatAtMs);
  }

  /**
   * Schedules a NEED if a named chunk is missing.
   * @param named chunks that an END named
   * @param audience devices that may ask
   * @param random 0 … 1
   */
  onEnd(named: ChunkSet, nowMs: number, audience: number, random: number): void {
    assert(named.size === this.#held.size, "an END names chunks of another package");
    this.#peerNacks = 0;
    this.#forgetAskedByPeers(named);
    if (this.#awaitsFirstEnd) this.#sentBeforeJoin.addAll(named);
    this.#awaitsFirstEnd = false;
    let isMissing = false;
    for (const chunk of named) {
      this.#toAsk.add(chunk);
      this.#asked.delete(chunk);
      if (!this.#held.has(chunk)) isMissing = true;
    }
    if (!isMissing) return;
    this.#askedCount = 0;
    this.#dueAtMs ??= nowMs + random * needDelayMs(audience);
    assert(this.#dueAtMs >= nowMs || !this.#toAsk.isEmpty, "a NEED is due with nothing to ask for");
  }

  /** Forgets what other peers asked for before this END: its repair was sent, or it was lost. */
  #forgetAskedByPeers(named: ChunkSet): void {
    for (const key of this.#askedByPeers.keys())
      if (named.has(Math.floor(key / 65_536))) this.#askedByPeers.delete(key);
  }

  /** Suppresses blocks for which another peer asked for at least as many symbols. */
  onPeerNack(entries: readonly number[]): void {
    this.#peerNacks++;
    for (let i = 0; i + 2 < entries.length && this.#askedByPeers.size < askedByPeersMax; i += 3) {
      const [chunk, block, count] = [entries[i]!, entries[i + 1]!, entries[i + 2]!];
      if (block === wholeChunks) continue;
      const key = chunk * 65_536 + block;
      this.#askedByPeers.set(key, Math.max(this.#askedByPeers.get(key) ?? 0, count));
    }
  }

  /**
   * Removes and returns the NEED frames that are due, each a flat [chunk, block, count, …].
   * @param frameBytes upper bound on a frame
   */
  takeDue(nowMs: number, missingSymbols: MissingSymbols, frameBytes: number): number[][] {
    const { dueAtMs } = this;
    if (dueAtMs === null || nowMs < dueAtMs) return [];
    if (this.#repeatAtMs !== null && nowMs >= this.#repeatAtMs) this.#askAgain();
    this.#dueAtMs = null;
    this.#repeatAtMs = null;
    // The representative has enough to answer. Symbols still missing then are asked for after the
    // next END.
    if (this.#peerNacks >= peerNacksMax) {
      this.#askedByPeers.clear();
      this.#scheduleRepeat(nowMs);
      return [];
    }
    const entries: number[] = [];
    const perFrame = 3 * itemsWithin(frameBytes, entryBytesMax, limits.needsMax);
    const entriesMax = perFrame * needFramesMax;
    for (const chunk of this.#toAsk) {
      if (this.#held.has(chunk)) {
        this.#toAsk.delete(chunk);
        continue;
      }
      if (entries.length >= entriesMax) break;
      this.#addEntries(chunk, entries, missingSymbols);
      this.#toAsk.delete(chunk);
      this.#asked.add(chunk);
    }
    this.#askedByPeers.clear();
    this.#scheduleRepeat(nowMs);
    const frames: number[][] = [];
    assert(entries.length % 3 === 0, "entries are not triples");
    for (let i = 0; i < Math.min(entries.length, entriesMax); i += perFrame)
      frames.push(entries.slice(i, Math.min(i + perFrame, entriesMax)));
    assert(frames.length <= needFramesMax, "more NEEDs at once than needFramesMax");
    return frames;
  }

  #addEntries(chunk: number, entries: number[], missingSymbols: MissingSymbols): void {
    const isStarted = missingSymbols(chunk, (block, count) => {
      if ((this.#askedByPeers.get(chunk * 65_536 + block) ?? 0) < count) entries.push(chunk, block, count);
    });
    if (isStarted || this.#sentBeforeJoin.has(chunk)) return;
    const last = entries.length - 3;
    if (last >= 0 && entries[last + 1] === wholeChunks && entries[last]! + entries[last + 2]! === chunk)
      entries[last + 2]!++;
    else entries.push(chunk, wholeChunks, 1);
  }

  #askAgain(): void {
    for (const chunk of this.#asked) this.#toAsk.add(chunk);
    this.#asked.deleteAll(this.#asked.clone());
  }

  #scheduleRepeat(nowMs: number): void {
    this.#asked.deleteAll(this.#held);
    if (this.#toAsk.isEmpty && this.#asked.isEmpty) return;
    if (this.#held.count > this.#heldAtAsk) this.#askedCount = 0;
    this.#heldAtAsk = this.#held.count;
    if (++this.#askedCount <= timing.needRepeatsMax) this.#repeatAtMs = nowMs + timing.needRepeatMs;
  }
}
