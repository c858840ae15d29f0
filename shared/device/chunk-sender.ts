/**
 * Puts symbols on the wire: takes what the session wants to send next, reads and encrypts the chunk once, cuts it into
 * tagged symbols, and lets them go at the pace of a token bucket. What to send, how fast and when to stop is the
 * session's decision.
 *
 * The blocks of a chunk are interleaved symbol by symbol, so that a burst of losses is spread over all of them. Frames
 * are made in buffers that every batch uses again, and the next chunk is read while this one is sent.
 */
import { TokenBucket } from "../core/rate/token-bucket.ts";
import { freeBuffer } from "../model/free-buffer.ts";
import type { SendItem } from "../core/repair/items.ts";
import { blockLayout, type BlockLayout, type ErasureCode } from "../fec/index.ts";
import { limits, symbolFrameMaxBytes, type ChunkCipher, type FrameSender } from "../wire/index.ts";
import type { LanBus } from "../net/lan/lan-bus.ts";

/** Datagrams in one system call: as many as fit the 64 KiB of a run, and below the bucket's burst. */
const batchDatagramsMax = 44;
/** 400 ms at 60 Mbit/s, from a chunk to the answer to its END; of large chunks two at least. */
const recentBytesMax = 3 * 1_048_576;
/** The kernel took nothing: its buffer is full, or the interface is down. */
const refusedPauseMs = 5;
/** Blocks whose used repair symbols are remembered; a forgotten one begins anew. */
const repairsKnownMax = 100_000;

export type ChunkSenderOptions = {
  bus: LanBus;
  sender: () => FrameSender;
  cipher: ChunkCipher;
  /** The next item, or null when there is nothing to send now. */
  next: () => SendItem | null;
  /** Into bytes of their own. */
  readChunk: (chunk: number) => Promise<Uint8Array>;
  /** Can this chunk be read already? */
  holds: (chunk: number) => boolean;
  symbolSizeBytes: number;
  code: ErasureCode;
  /** Payload bits per second; asked before every batch. */
  rateBps: () => number;
  /** So many symbols left. */
  onSent: (symbols: number) => void;
  /** Where repair symbols begin, so that two representatives of one session do not send the same. */
  repairOffset: number;
  nowMs: () => number;
  /** Sending begins. */
  onBusy: () => void;
  /** Everything that `next` named was sent. */
  onIdle: () => void;
  onError: (error: unknown) => void;
};

export class ChunkSender {
  readonly #options: ChunkSenderOptions;
  readonly #bucket: TokenBucket;
  readonly #repairsUsed = new Map<string, number>();
  /** The frames of a batch lie one after the other. */
  readonly #bytes = new Uint8Array(batchDatagramsMax * symbolFrameMaxBytes);
  readonly #places = Array.from({ length: batchDatagramsMax }, (_, i) =>
    this.#bytes.subarray(i * symbolFrameMaxBytes, (i + 1) * symbolFrameMaxBytes),
  );
  /** Encrypted, in the order in which they were read. */
  readonly #recent = new Map<number, Promise<Uint8Array>>();
  #sendingChunk = -1;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #state: "resting" | "running" | "stopped" = "resting";
  #again = false;
  symbolsSent = 0;
  payloadBytesSent = 0;

  constructor(options: ChunkSenderOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(options.rateBps(), options.nowMs());
  }

  /** There may be something to send. */
  wake(): void {
    this.#again = true;
    if (this.#state !== "resting") return;
    this.#state = "running";
    this.#bucket.resume(this.#options.nowMs());
    this.#options.onBusy();
    void this.#run().catch((error: unknown) => this.#options.onError(error));
  }

  stop(): void {
    this.#state = "stopped";
  }

  get #isStopped(): boolean {
    return this.#state === "stopped";
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && !this.#isStopped) {
        this.#again = false;
        for (let item = this.#options.next(); item && !this.#isStopped; item = this.#options.next())
          await this.#send(item);
      }
    } finally {
      if (!this.#isStopped) this.#state = "resting";
    }
    if (!this.#isStopped) this.#options.onIdle();
  }

  async #send(item: SendItem): Promise<void> {
    const { holds, symbolSizeBytes } = this.#options;
    this.#sendingChunk = item.chunk;
    const bytes = await this.#encrypted(item.chunk);
    // The next one is read while this one is sent.
    if (item.kind === "chunk" && holds(item.chunk + 1)) this.#encrypted(item.chunk + 1).catch(() => {});
    const layout = blockLayout(bytes.length, symbolSizeBytes);
    if (item.kind === "chunk") await this.#sendChunk(item.chunk, bytes, layout);
    else
      for (const { block, count } of item.blocks)
        await this.#sendRepair(item.chunk, bytes, layout, block, count);
    await this.#flush();
  }

  /** What was sent a moment ago is asked for again in pieces: it is read once for all of that. */
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
        if (this.#isFull) await this.#flush();
      }
      if (this.#isStopped) return;
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
    const { symbolSizeBytes, code, repairOffset } = this.#options;
    const k = layout.k(block);
    const room = limits.codedSymbolsMax - k;
    const many = Math.min(count, room);
    const key = `${chunk}/${block}`;
    let used = this.#repairsUsed.get(key) ?? repairOffset % room;
    if (used + many > room) used = 0;
    if (this.#repairsUsed.size >= repairsKnownMax) this.#repairsUsed.clear();
    this.#repairsUsed.set(key, used + many);
    const offset = layout.blockOffsetBytes(block);
    const view = bytes.subarray(offset, offset + layout.blockLengthBytes(block));
    const symbols = code.repairSymbols({ bytes: view, k, symbolSizeBytes }, k + used, many);
    for (let i = 0; i < many; i++) {
      this.#add(chunk, block, k + used + i, symbols.subarray(i * symbolSizeBytes, (i + 1) * symbolSizeBytes));
      if (this.#isFull) await this.#flush();
    }
  }

  /** A shorter frame ends a run. */
  get #isFull(): boolean {
    const { length } = this.#batch;
    return (
      length >= batchDatagramsMax || (length > 0 && this.#batch[length - 1]!.length < symbolFrameMaxBytes)
    );
  }

  #add(chunk: number, block: number, symbol: number, payload: Uint8Array): void {
    const into = this.#places[this.#batch.length]!;
    this.#batch.push(this.#options.sender().symbol(chunk, block, symbol, payload, into));
    this.#batchBytes += payload.length;
  }

  /** Waits for the tokens of the batch, then sends it; what the kernel does not take is offered again. */
  async #flush(): Promise<void> {
    const { bus, nowMs, rateBps, onSent } = this.#options;
    const bytes = this.#batchBytes;
    let batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length === 0) return;
    this.#bucket.rateBps = rateBps();
    while (this.#bucket.available(nowMs()) < bytes) {
      await Bun.sleep(Math.max(1, this.#bucket.waitMs(bytes)));
      if (this.#isStopped) return;
    }
    this.#bucket.spend(bytes);
    this.symbolsSent += batch.length;
    this.payloadBytesSent += bytes;
    onSent(batch.length);
    let run = this.#bytes.subarray(0, (batch.length - 1) * symbolFrameMaxBytes + batch.at(-1)!.length);
    for (;;) {
      const sent = bus.sendRun(run, batch);
      if (sent >= batch.length || this.#isStopped) return;
      batch = batch.slice(sent);
      run = run.subarray(sent * symbolFrameMaxBytes);
      await Bun.sleep(sent > 0 ? 1 : refusedPauseMs);
    }
  }
}
