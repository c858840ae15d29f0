import { afterEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { Reassembly } from "../core/reassembly/reassembly.ts";
import type { SendItem } from "../core/repair/items.ts";
import { createErasureCode } from "../fec/index.ts";
import { createFrameReceiver, createFrameWriter, createIncarnation, sessionOf } from "../wire/index.ts";
import { nodeCrypto } from "../net/seal/aead.ts";
import { systemClock } from "../platform/system-clock.ts";
import { headerBytes, symbolAt, symbolOverheadBytes } from "../wire/layout.ts";
import { ChunkSender, type ChunkSenderOptions } from "./chunk-sender.ts";
import { openLanBus, type LanBus } from "../net/lan/lan-bus.ts";

const open: LanBus[] = [];
afterEach(() => open.splice(0).forEach((bus) => bus.close()));

const symbolSizeBytes = 1_400;
const code = createErasureCode();

test("sends chunks over real sockets, sealed and paced, and repairs dropped symbols", async () => {
  const group = { address: `239.193.${process.pid & 255}.9`, port: 21_000 + (process.pid % 20_000) };
  const key = randomBytes(16);
  const session = sessionOf(nodeCrypto, key);
  const chunks = Array.from({ length: 6 }, () => new Uint8Array(randomBytes(262_144)));
  const received = new Map<number, Uint8Array>();
  const reassembly = new Reassembly({
    chunkLengthBytes: () => 262_144,
    symbolSizeBytes,
    code,
    memoryBytesMax: 1 << 26,
  });
  const receiver = createFrameReceiver({ crypto: nodeCrypto, deployment: 1, ownSender: "00000000000000ff" });
  receiver.addContext(session, key);
  let datagrams = 0;
  open.push(
    await openLanBus({
      interfaceAddress: "127.0.0.1",
      group,
      onError: () => {},
      onBatch: (batch) =>
        receiver.receiveBatch(batch, (symbol) => {
          // Drops every 50th datagram.
          if (++datagrams % 50 === 0 || symbol.kind !== "symbol" || received.has(symbol.chunk)) return;
          if (reassembly.addSymbol(symbol.chunk, symbol.block, symbol.symbol, symbol.payload) === "ready") {
            received.set(symbol.chunk, reassembly.take(symbol.chunk)!);
          }
        }),
    }),
  );
  const bus = await openLanBus({
    interfaceAddress: "127.0.0.1",
    group,
    onBatch: () => {},
    onError: () => {},
  });
  open.push(bus);
  const items: SendItem[] = chunks.map((_, chunk) => ({ kind: "chunk", chunk }));
  const writer = createFrameWriter({
    crypto: nodeCrypto,
    deployment: 1,
    session,
    key,
    incarnation: createIncarnation("0000000000000001"),
  });
  const sender = new ChunkSender({
    group: bus,
    writer: () => writer,
    next: () => items.shift() ?? null,
    readChunk: async (chunk) => new Uint8Array(chunks[chunk]!),
    symbolSizeBytes: () => symbolSizeBytes,
    isWanted: () => true,
    onRefused: () => {},
    code,
    rateBps: () => 100_000_000,
    holds: (chunk) => chunk < chunks.length,
    cipher: (_chunk, bytes) => bytes,
    onSent: () => {},
    onBusy: () => {},
    repairOffset: 0,
    clock: systemClock,
    onIdle: () => {},
    onError: (error) => {
      throw error;
    },
  });
  const begunMs = performance.now();
  sender.resume();
  for (let round = 0; round < 20 && received.size < chunks.length; round++) {
    for (let waited = 0; waited < 4_000 && sender.symbolsSent < 6 * 188; waited += 20) await Bun.sleep(20);
    if (round === 0) expect(performance.now() - begunMs).toBeGreaterThan((6 * 262_144 * 8) / 100_000 - 20);
    await Bun.sleep(50);
    for (const chunk of chunks.keys()) {
      const blocks: { block: number; count: number }[] = [];
      if (!received.has(chunk))
        reassembly.missingSymbols(chunk, (block, count) => blocks.push({ block, count }));
      if (blocks.length > 0) items.push({ kind: "repair", chunk, blocks });
    }
    sender.resume();
    await Bun.sleep(50);
  }
  expect(received.size).toBe(chunks.length);
  for (const [chunk, bytes] of received) expect(Buffer.compare(bytes, chunks[chunk]!)).toBe(0);
  sender.stop();
});

/** A sender of one session whose datagrams go to `sent`. */
function senderOf(options: Partial<ChunkSenderOptions> & Pick<ChunkSenderOptions, "next" | "readChunk">) {
  const key = randomBytes(16);
  const session = sessionOf(nodeCrypto, key);
  const incarnation = createIncarnation("0000000000000001");
  const writer = createFrameWriter({ crypto: nodeCrypto, deployment: 1, session, key, incarnation });
  const sent: Uint8Array[] = [];
  const { promise: idle, resolve: onIdle } = Promise.withResolvers<void>();
  const errors: unknown[] = [];
  const sender = new ChunkSender({
    group: {
      name: "",
      symbolMaxBytes: 1_400,
      counters: { framesSent: 0, framesReceived: 0, receiveCalls: 0, messagesReceived: 0 },
      kernelDrops: () => null,
      send: () => {},
      sendRun: (_run, datagrams) => {
        sent.push(...datagrams.map((datagram) => datagram.slice()));
        return datagrams.length;
      },
    },
    writer: () => writer,
    symbolSizeBytes: () => 16,
    isWanted: () => true,
    onRefused: () => {},
    code,
    rateBps: () => 1e9,
    holds: () => false,
    cipher: (_chunk, plain) => plain,
    onSent: () => {},
    onBusy: () => {},
    repairOffset: 0,
    clock: systemClock,
    onIdle,
    onError: (error) => errors.push(error),
    ...options,
  });
  return { sender, sent, idle, errors };
}

test("sends every repair symbol of a block, a few at a time, before it repeats one", async () => {
  const k = 128;
  const bytes = new Uint8Array(randomBytes(k * 16));
  const items: SendItem[] = Array.from({ length: 128 }, () => ({
    kind: "repair",
    chunk: 0,
    blocks: [{ block: 0, count: 3 }],
  }));
  const { sender, sent, idle } = senderOf({
    next: () => items.shift() ?? null,
    readChunk: async () => bytes.slice(),
  });
  sender.resume();
  await idle;
  const symbols = new Set(sent.map((datagram) => datagram[headerBytes + symbolAt.symbol]!));
  // A receiver with nothing but repair symbols needs all of them.
  expect([...symbols].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 256 - k }, (_, i) => k + i));
  sender.stop();
});

test.each(["chunk", "repair"] as const)(
  "writes no frame of a %s that is read when it is stopped",
  async (kind) => {
    const { promise: bytes, resolve: endRead } = Promise.withResolvers<Uint8Array>();
    let item: SendItem | null =
      kind === "chunk" ? { kind, chunk: 0 } : { kind, chunk: 0, blocks: [{ block: 0, count: 3 }] };
    let framesWritten = 0;
    const { sender, errors } = senderOf({
      next: () => {
        const next = item;
        item = null;
        return next;
      },
      readChunk: () => bytes,
      writer: () => {
        framesWritten++;
        throw new Error("the session left the LAN");
      },
    });
    sender.resume();
    sender.stop();
    endRead(new Uint8Array(64));
    await bytes;
    await Bun.sleep(1);
    expect([framesWritten, errors]).toEqual([0, []]);
  },
);

const payloadLengths = (sent: readonly Uint8Array[]): number[] =>
  sent.map(({ length }) => length - symbolOverheadBytes);

test("begins a chunk again when its symbols become shorter in the middle", async () => {
  let symbolBytes = 16;
  let onSent = 0;
  const items: SendItem[] = [
    { kind: "chunk", chunk: 0 },
    { kind: "repair", chunk: 0, blocks: [{ block: 0, count: 2 }] },
  ];
  const { sender, sent, idle } = senderOf({
    next: () => items.shift() ?? null,
    readChunk: async () => new Uint8Array(1_600),
    symbolSizeBytes: () => symbolBytes,
    onSent: (symbols) => {
      if ((onSent += symbols) >= 44) symbolBytes = 8;
    },
  });
  sender.resume();
  await idle;
  const lengths = payloadLengths(sent);
  expect(lengths.slice(0, 44)).toEqual(Array.from({ length: 44 }, () => 16));
  // All symbols of the shorter size, then the repairs.
  expect(lengths.slice(44)).toEqual(Array.from({ length: 202 }, () => 8));
  sender.stop();
});

test("sends the rest of a chunk to nobody", async () => {
  const items: SendItem[] = [{ kind: "chunk", chunk: 0 }];
  let isWanted = true;
  const { sender, sent, idle } = senderOf({
    next: () => items.shift() ?? null,
    readChunk: async () => new Uint8Array(16 * 400),
    isWanted: () => isWanted,
    onSent: () => {
      isWanted = false;
    },
  });
  sender.resume();
  await idle;
  expect(sent).toHaveLength(44);
  sender.stop();
});

test("sends a chunk in shorter symbols after the interface refused the longer ones", async () => {
  const items: SendItem[] = [{ kind: "chunk", chunk: 0 }];
  let refusals = 0;
  const taken: Uint8Array[] = [];
  const group = {
    name: "",
    symbolMaxBytes: 16,
    counters: { framesSent: 0, framesReceived: 0, receiveCalls: 0, messagesReceived: 0 },
    kernelDrops: () => null,
    send: () => {},
    sendRun: (_run: Uint8Array, datagrams: readonly Uint8Array[]) => {
      if (datagrams[0]!.length - symbolOverheadBytes > 8) {
        group.symbolMaxBytes = 8;
        return 0;
      }
      taken.push(...datagrams.map((datagram) => datagram.slice()));
      return datagrams.length;
    },
  };
  let symbolBytes = 16;
  const { sender, idle } = senderOf({
    group,
    next: () => items.shift() ?? null,
    readChunk: async () => new Uint8Array(800),
    symbolSizeBytes: () => symbolBytes,
    onRefused: () => {
      refusals++;
      symbolBytes = group.symbolMaxBytes;
    },
  });
  sender.resume();
  await idle;
  expect(payloadLengths(taken)).toEqual(Array.from({ length: 100 }, () => 8));
  expect(refusals).toBe(1);
  sender.stop();
});

test("sends jumbo frames in runs that fit an IPv4 packet", async () => {
  const items: SendItem[] = [{ kind: "chunk", chunk: 0 }];
  const runs: number[] = [];
  const { sender, idle } = senderOf({
    group: {
      name: "",
      symbolMaxBytes: 8_904,
      counters: { framesSent: 0, framesReceived: 0, receiveCalls: 0, messagesReceived: 0 },
      kernelDrops: () => null,
      send: () => {},
      sendRun: (run, datagrams) => {
        runs.push(run.length);
        return datagrams.length;
      },
    },
    next: () => items.shift() ?? null,
    readChunk: async () => new Uint8Array(262_144),
    symbolSizeBytes: () => 8_904,
  });
  sender.resume();
  await idle;
  expect(Math.max(...runs)).toBe(7 * 8_970);
  expect(runs.reduce((sum, bytes) => sum + bytes, 0)).toBe(262_144 + 30 * symbolOverheadBytes);
  sender.stop();
});
