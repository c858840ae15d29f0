/**
 * Puts symbols on the simulated wire: what `shared/device/chunk-sender.ts` does, with the real erasure code, tags and pace.
 */
import type { SendItem } from "../core/repair/items.ts";
import { blockLayout, createErasureCode, type BlockLayout } from "../fec/index.ts";
import { limits } from "../wire/index.ts";
import type { Session } from "./session.ts";

/** Datagrams that leave in one go. */
const batchMax = 16;
/** Repair symbols that each later representative of a session leaves to the ones before it. */
const repairsPerTerm = 24;
const code = createErasureCode();

type Symbol = { chunk: number; block: number; symbol: number; payload: Uint8Array };

export class Caster {
  readonly #session: Session;
  readonly #repairOffset: number;
  readonly #repairsUsed = new Map<number, number>();
  #state: "resting" | "running" | "stopped" = "resting";
  #queue: Symbol[] = [];

  constructor(session: Session) {
    this.#session = session;
    this.#repairOffset = (session.member.term - 1) * repairsPerTerm;
  }

  wake(): void {
    if (this.#state !== "resting") return;
    this.#state = "running";
    this.#session.machine.after(0, () => this.#next());
  }

  stop(): void {
    this.#state = "stopped";
  }

  #next(): void {
    if (this.#state === "stopped") return;
    const { member, machine } = this.#session;
    const item = member.nextToSend(machine.nowMs);
    if (!item) {
      this.#state = "resting";
      return this.#session.step({ type: "TimerFired" });
    }
    this.#queue = this.#symbolsOf(item);
    this.#send();
  }

  /** A batch, once its tokens are there. */
  #send(): void {
    const batch = this.#queue.splice(0, batchMax);
    if (batch.length === 0) return this.#next();
    const { member, machine, env, life } = this.#session;
    let bytes = 0;
    for (const { payload } of batch) bytes += payload.length;
    machine.after((bytes * 8_000) / member.sendRateBps(), () => {
      if (this.#state === "stopped") return;
      const frames = batch.map(({ chunk, block, symbol, payload }) =>
        life.voice.symbol(chunk, block, symbol, payload),
      );
      for (const frame of frames) env.checks.sent(machine, frame);
      env.network.multicast(machine, frames, true);
      member.onSymbolsSent(frames.length);
      this.#send();
    });
  }

  #symbolsOf(item: SendItem): Symbol[] {
    const { life, env } = this.#session;
    const bytes = life.voice.chunkCipher(item.chunk, life.store.readChunk(item.chunk).slice());
    const layout = blockLayout(bytes.length, env.options.symbolBytes);
    if (item.kind === "chunk") return sourceSymbols(item.chunk, bytes, layout);
    return item.blocks.flatMap(({ block, count }) => this.#repairs(item.chunk, bytes, layout, block, count));
  }

  #repairs(chunk: number, bytes: Uint8Array, layout: BlockLayout, block: number, count: number): Symbol[] {
    if (block >= layout.blockCount) return [];
    const symbolSizeBytes = this.#session.env.options.symbolBytes;
    const k = layout.k(block);
    const room = limits.codedSymbolsMax - k;
    const many = Math.min(count, room);
    const key = chunk * 65_536 + block;
    let used = this.#repairsUsed.get(key) ?? this.#repairOffset % room;
    if (used + many > room) used = 0;
    this.#repairsUsed.set(key, used + many);
    const offset = layout.blockOffsetBytes(block);
    const view = bytes.subarray(offset, offset + layout.blockLengthBytes(block));
    const payloads = code.repairSymbols({ bytes: view, k, symbolSizeBytes }, k + used, many);
    return Array.from({ length: many }, (_, i) => ({
      chunk,
      block,
      symbol: k + used + i,
      payload: payloads.slice(i * symbolSizeBytes, (i + 1) * symbolSizeBytes),
    }));
  }
}

/** Blocks interleaved, as bursts want it. */
function sourceSymbols(chunk: number, bytes: Uint8Array, layout: BlockLayout): Symbol[] {
  const symbols: Symbol[] = [];
  for (let symbol = 0; symbol < layout.k(0); symbol++) {
    for (let block = 0; block < layout.blockCount; block++) {
      if (symbol >= layout.k(block)) continue;
      const at = layout.symbolOffsetBytes(block, symbol);
      const payload = bytes.subarray(at, at + layout.symbolLengthBytes(block, symbol));
      symbols.push({ chunk, block, symbol, payload });
    }
  }
  return symbols;
}
