/**
 * Sends symbols: takes the next item of the session, reads and encrypts its chunk once, splits it
 * into tagged symbols, and paces them with a token bucket. The session decides what to send, how
 * fast, and when to stop.
 *
 * Blocks of a chunk are interleaved symbol by symbol, so that a burst of losses is spread over all
 * blocks. Every batch reuses the same frame buffers. The next chunk is read while the current one
 * is sent.
 */
import { sleep, type Clock } from "../model/clock.ts";
import { freeBuffer } from "../model/free-buffer.ts";
import { TokenBucket } from "../core/rate/token-bucket.ts";
import type { SendItem } from "../core/repair/items.ts";
import { blockLayout, type BlockLayout, type ErasureCode } from "../fec/index.ts";
import { limits, symbolOverheadBytes, type ChunkCipher, type FrameWriter } from "../wire/index.ts";
import type { Group } from "./group.ts";

/** Datagrams per system call: their payload fits into the bucket's burst. */
const batchDatagramsMax = 44;
/** Payload of an IPv4 packet: upper bound on a run. */
const runBytesMax = 65_507;
/**
 * Encrypted chunks kept for repairs: 400 ms at 60 Mbit/s, the time from a chunk to the NACKs that
 * its END causes. At least two chunks are kept, of any size.
 */
const recentBytesMax = 3 * 1_048_576;
/** Pause after the system accepted no datagram: its buffer is full, or the interface is down. */
const refusedPauseMs = 5;
/** Upper bound on that pause, which doubles while the system refuses. */
const refusedPauseMsMax = 320;
/**
 * Upper bound on blocks whose next repair symbol is remembered. Beyond it all are forgotten, and
 * every block begins with its first repair symbol again.
 */
const repairsKnownMax = 100_000;

export type ChunkSenderOptions = {
  readonly group: Group;
  readonly writer: () => FrameWriter;
  readonly cipher: ChunkCipher;
  /** Returns the next item; null while there is nothing to send. */
  readonly next: () => SendItem | null;
  /** Reads a chunk into a separate buffer, which the sender frees. */
  readonly readChunk: (chunk: number) => Promise<Uint8Array>;
  /** Whether the chunk can be read. */
  readonly holds: (chunk: number) => boolean;
  /** Payload of a full symbol, bytes. When it changes, the chunk in transmission begins again. */
  readonly symbolSizeBytes: () => number;
  /** Whether any device is left to send to; if not, the rest of an item is not sent. */
  readonly isWanted: () => boolean;
  /** Payload of one burst, bytes. */
  readonly burstBytes?: number | undefined;
  readonly code: ErasureCode;
  /** Payload bits per second; called before every batch. */
  readonly rateBps: () => number;
  readonly onSent: (symbols: number) => void;
  /**
   * First repair symbol, counted from k, so that two representatives of one session send different
   * ones.
   */
  readonly repairOffset: number;
  readonly clock: Clock;
  /** Called when sending begins. */
  readonly onBusy: () => void;
  /** Called when every item that `next` returned was sent. */
  readonly onIdle: () => void;
  /** Called when the interface no longer carries the symbols; `symbolSizeBytes` then changes. */
  readonly onRefused: () => void;
  readonly onError: (error: unknown) => void;
};

/** Frames of one system call, stored one after the other in a buffer that every batch reuses. */
class SymbolBatch {
  /** Length of a full frame. */
  readonly frameBytes: number;
  readonly #datagramsMax: number;
  readonly #bytes: Uint8Array;
  readonly #slots: Uint8Array[];
  #datagrams: Uint8Array[] = [];
  #payloadBytes = 0;

  constructor(frameBytes: number) {
    const datagramsMax = Math.min(batchDatagramsMax, Math.floor(runBytesMax / frameBytes));
    const bytes = new Uint8Array(datagramsMax * frameBytes);
    this.frameBytes = frameBytes;
    this.#datagramsMax = datagramsMax;
    this.#bytes = bytes;
    this.#slots = Array.from({ length: datagramsMax }, (_, i) =>
      bytes.subarray(i * frameBytes, (i + 1) * frameBytes),
    );
  }

  /** Where the next frame is written. */
  get nextSlot(): Uint8Array {
    return this.#slots[this.#datagrams.length]!;
  }

  /** Whether the batch has to be sent: only the last frame of a run may be shorter. */
  get isFull(): boolean {
    const { length } = this.#datagrams;
    return (
      length >= this.#datagramsMax || (length > 0 && this.#datagrams[length - 1]!.length < this.frameBytes)
    );
  }

  /** @param frame written to `nextSlot` */
  add(frame: Uint8Array, payloadBytes: number): void {
    this.#datagrams.push(frame);
    this.#payloadBytes += payloadBytes;
  }

  /** Empties the batch. `run` contains the datagrams one after the other. */
  take(): { datagrams: Uint8Array[]; run: Uint8Array; payloadBytes: number } {
    const datagrams = this.#datagrams;
    const payloadBytes = this.#payloadBytes;
    const lastBytes = datagrams.at(-1)?.length ?? 0;
    const run = this.#bytes.subarray(0, Math.max(0, datagrams.length - 1) * this.frameBytes + lastBytes);
    this.#datagrams = [];
    this.#payloadBytes = 0;
    return { datagrams, run, payloadBytes };
  }
}

export class ChunkSender {
  readonly #options: ChunkSenderOptions;
  readonly #bucket: TokenBucket;
  readonly #repairsUsed = new Map<string, number>();
  #symbolSizeBytes: number;
  #batch: SymbolBatch;
  /** Encrypted chunks, in the order in which they were read. */
  readonly #recent = new Map<number, Promise<Uint8Array>>();
  #sendingChunk = -1;
  #state: "idle" | "running" | "stopped" = "idle";
  #wasResumed = false;
  symbolsSent = 0;
  payloadBytesSent = 0;

  constructor(options: ChunkSenderOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(options.rateBps(), options.clock.nowMs(), options.burstBytes);
    this.#symbolSizeBytes = options.symbolSizeBytes();
    this.#batch = new SymbolBatch(this.#symbolSizeBytes + symbolOverheadBytes);
  }

  /** Starts sending if the sender is idle; `next` may have an item. */
  resume(): void {
    this.#wasResumed = true;
    if (this.#state !== "idle") return;
    this.#state = "running";
    this.#bucket.resume(this.#options.clock.nowMs());
    this.#options.onBusy();
    void this.#run().catch((error: unknown) => this.#options.onError(error));
  }

  stop(): void {
    this.#state = "stopped";
  }

  get #isStopped(): boolean {
    return this.#state === "stopped";
  }

  /** Whether the rest of an item is not sent: stopped, not wanted, or symbols of another size. */
  get #isCut(): boolean {
    const { symbolSizeBytes, isWanted } = this.#options;
    return this.#isStopped || this.#symbolSizeBytes !== symbolSizeBytes() || !isWanted();
  }

  async #run(): Promise<void> {
    try {
      while (this.#wasResumed && !this.#isStopped) {
        this.#wasResumed = false;
        for (let item = this.#options.next(); item && !this.#isStopped; item = this.#options.next())
          await this.#send(item);
      }
    } finally {
      if (!this.#isStopped) this.#state = "idle";
    }
    if (!this.#isStopped) this.#options.onIdle();
  }

  async #send(item: SendItem): Promise<void> {
    const { holds } = this.#options;
    this.#sendingChunk = item.chunk;
    const bytes = await this.#encrypted(item.chunk);
    // Stopped while it was read: the session may have left the LAN.
    if (this.#isStopped) return;
    // The next chunk is read while this one is sent.
    if (item.kind === "chunk" && holds(item.chunk + 1)) this.#encrypted(item.chunk + 1).catch(() => {});
    let hasChanged = this.#takeSymbolSize();
    // Repairs of the former size are of no use to anybody.
    if (item.kind === "repair" && hasChanged) return;
    do {
      await this.#sendCut(item, bytes, blockLayout(bytes.length, this.#symbolSizeBytes));
      hasChanged = !this.#isStopped && this.#takeSymbolSize();
    } while (item.kind === "chunk" && hasChanged);
  }

  /** Takes the current symbol size. Returns whether it changed, which drops what was not sent. */
  #takeSymbolSize(): boolean {
    const bytes = this.#options.symbolSizeBytes();
    if (bytes === this.#symbolSizeBytes) return false;
    this.#symbolSizeBytes = bytes;
    this.#batch = new SymbolBatch(bytes + symbolOverheadBytes);
    this.#repairsUsed.clear();
    return true;
  }

  async #sendCut(item: SendItem, bytes: Uint8Array, layout: BlockLayout): Promise<void> {
    if (item.kind === "chunk") await this.#sendChunk(item.chunk, bytes, layout);
    else
      for (const { block, count } of item.blocks) {
        if (this.#isCut) return;
        await this.#sendRepair(item.chunk, bytes, layout, block, count);
      }
    await this.#flush();
  }

  /**
   * Returns an encrypted chunk. Repairs soon request recent chunks again, so these are read once.
   */
  #encrypted(chunk: number): Promise<Uint8Array> {
    const known = this.#recent.get(chunk);
    if (known !== undefined) return known;
    const read = this.#read(chunk);
    read.catch(() => this.#recent.delete(chunk));
    this.#recent.set(chunk, read);
    return read;
  }

  async #read(chunk: number): Promise<Uint8Array> {
    const { readChunk, cipher } = this.#options;
    const bytes = cipher(chunk, await readChunk(chunk));
    for (const [oldest, reading] of this.#recent) {
      if (this.#recent.size <= Math.max(2, recentBytesMax / bytes.length)) break;
      if (oldest === this.#sendingChunk || oldest === chunk) continue;
      this.#recent.delete(oldest);
      reading.then(freeBuffer, () => {});
    }
    return bytes;
  }

  async #sendChunk(chunk: number, bytes: Uint8Array, layout: BlockLayout): Promise<void> {
    const kMax = layout.k(0);
    for (let symbol = 0; symbol < kMax; symbol++) {
      for (let block = 0; block < layout.blockCount; block++) {
        if (symbol >= layout.k(block)) continue;
        const at = layout.symbolOffsetBytes(block, symbol);
        this.#add(chunk, block, symbol, bytes.subarray(at, at + layout.symbolLengthBytes(block, symbol)));
        if (!this.#batch.isFull) continue;
        await this.#flush();
        if (this.#isCut) return;
      }
    }
  }

  async #sendRepair(
    chunk: number,
    bytes: Uint8Array,
    layout: BlockLayout,
    block: number,
    count: number,
  ): Promise<void> {
    if (block >= layout.blockCount) return;
    const { code, repairOffset } = this.#options;
    const symbolSizeBytes = this.#symbolSizeBytes;
    const k = layout.k(block);
    const room = limits.codedSymbolsMax - k;
    const many = Math.min(count, room);
    const key = `${chunk}/${block}`;
    const used = this.#repairsUsed.get(key) ?? repairOffset % room;
    if (this.#repairsUsed.size >= repairsKnownMax) this.#repairsUsed.clear();
    this.#repairsUsed.set(key, (used + many) % room);
    const offset = layout.blockOffsetBytes(block);
    const view = bytes.subarray(offset, offset + layout.blockLengthBytes(block));
    // Numbers wrap around and none is skipped: a receiver may have nothing but repair symbols.
    const beforeWrap = Math.min(many, room - used);
    for (const [from, length] of [
      [used, beforeWrap],
      [0, many - beforeWrap],
    ] as const) {
      if (length === 0) continue;
      const symbols = code.repairSymbols({ bytes: view, k, symbolSizeBytes }, k + from, length);
      for (let i = 0; i < length; i++) {
        const payload = symbols.subarray(i * symbolSizeBytes, (i + 1) * symbolSizeBytes);
        this.#add(chunk, block, k + from + i, payload);
        if (!this.#batch.isFull) continue;
        await this.#flush();
        if (this.#isCut) return;
      }
    }
  }

  #add(chunk: number, block: number, symbol: number, payload: Uint8Array): void {
    const frame = this.#options.writer().symbol(chunk, block, symbol, payload, this.#batch.nextSlot);
    this.#batch.add(frame, payload.length);
  }

  /** Waits for the tokens of the batch and sends it; retries what the system does not accept. */
  async #flush(): Promise<void> {
    const { group, clock, rateBps, onSent, onRefused } = this.#options;
    let { datagrams: batch, run, payloadBytes: bytes } = this.#batch.take();
    // Stopped: the member no longer leads, and has no rate.
    if (batch.length === 0 || this.#isCut) return;
    this.#bucket.rateBps = rateBps();
    while (this.#bucket.available(clock.nowMs()) < bytes) {
      await sleep(clock, Math.max(1, this.#bucket.waitMs(bytes)));
      if (this.#isCut) return;
    }
    this.#bucket.spend(bytes);
    this.symbolsSent += batch.length;
    this.payloadBytesSent += bytes;
    onSent(batch.length);
    const { frameBytes } = this.#batch;
    for (let pauseMs = refusedPauseMs; ; pauseMs = Math.min(2 * pauseMs, refusedPauseMsMax)) {
      const sent = group.sendRun(run, batch);
      if (sent >= batch.length) return;
      // The MTU of the interface fell: the session shortens its symbols.
      if (group.symbolMaxBytes < this.#symbolSizeBytes) onRefused();
      if (this.#isCut) return;
      batch = batch.slice(sent);
      run = run.subarray(sent * frameBytes);
      if (sent > 0) pauseMs = refusedPauseMs;
      await sleep(clock, sent > 0 ? 1 : pauseMs);
    }
  }
}
