/**
 * Verification of whole batches: the kernel's fast path must give the same results as the
 * receiver's frame-by-frame path, for arbitrary datagrams.
 */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  batchOf,
  messagesMax,
  messageSlots,
  slotBytes,
  slotCount,
  slotsOf,
  type DatagramBatch,
} from "../../wire/datagram-batch.ts";
import { putUint16, uint32At } from "../../wire/identity.ts";
import {
  headerAt,
  headerBytes,
  nonceBytes,
  payloadAt,
  symbolAt,
  symbolOverheadBytes,
  tagBytes,
} from "../../wire/layout.ts";
import { symbolTag, writeNonce } from "../../wire/seal.ts";
import {
  createFrameReceiver,
  createFrameWriter,
  createIncarnation,
  limits,
  sessionOf,
  type Crypto,
  type FrameReceiver,
  type Received,
} from "../../wire/index.ts";
import { nodeCrypto } from "./aead.ts";
import { createKernelTag, createPlainTag, batchMemory } from "./frame-tag.ts";

const key = new Uint8Array(16).fill(9);
const session = sessionOf(nodeCrypto, key);
const isMissing = batchMemory() === null && process.env["CI"] !== "true";

const senderOf = (name: string) =>
  createFrameWriter({
    crypto: nodeCrypto,
    deployment: 1,
    session,
    key,
    incarnation: createIncarnation(name.repeat(16)),
  });

function receiverOf(crypto: Crypto = nodeCrypto): FrameReceiver {
  const receiver = createFrameReceiver({ crypto, deployment: 1, ownSender: "00000000000000ff" });
  receiver.addContext(session, key);
  return receiver;
}

/** First slot, and slots from one datagram to the next. */
type InSlots = readonly [number, number];
type Places = { readonly symbolBytes: number; readonly slots: readonly InSlots[] };
/** Slots of a run, of messages with one datagram each, and of the last run that a call can read. */
const usual: Places = {
  symbolBytes: limits.symbolUsualBytes,
  slots: [
    [0, 1],
    [0, messageSlots],
    [slotCount - messageSlots, 1],
  ],
};
/** Slots of jumbo frames, of which a message holds a few. */
const jumbo: Places = {
  symbolBytes: limits.symbolMaxBytes,
  slots: [
    [0, slotsOf(limits.datagramMaxBytes)],
    [0, messageSlots],
  ],
};

/** Puts the datagrams where recvmmsg would put them. */
function inPlace(datagrams: readonly Uint8Array[], [firstSlot, slotStep]: InSlots = [0, 1]): DatagramBatch {
  const { slots, lengths } = batchMemory()!;
  const at = (index: number): number => (firstSlot + index * slotStep) * slotBytes;
  for (const [index, datagram] of datagrams.entries()) {
    slots.set(datagram, at(index));
    lengths[index] = datagram.length;
  }
  return {
    count: datagrams.length,
    slots,
    firstSlot,
    slotStep,
    lengths,
    datagram: (index) => slots.subarray(at(index), at(index) + lengths[index]!),
    payload: (index, bytes) => slots.subarray(at(index) + payloadAt, at(index) + payloadAt + bytes),
    fromAddress: () => "192.0.2.1",
  };
}

/** Copies a result, so that it stays valid when the next frame is received. */
function noteOf(received: Received): unknown {
  if (received.kind !== "symbol") return structuredClone(received);
  return { ...received, payload: Buffer.from(received.payload).toString("base64") };
}

function receiveAll(receiver: FrameReceiver, batch: DatagramBatch): unknown[] {
  const notes: unknown[] = [];
  receiver.receiveBatch(batch, (received, index) => {
    expect(index).toBe(notes.length);
    notes.push(noteOf(received));
  });
  return notes;
}

type Choice = {
  from: "a" | "b";
  chunk: number;
  block: number;
  symbol: number;
  payload: Uint8Array;
  change: Change;
  at: number;
  bit: number;
};
type Change =
  | "none"
  | "bit"
  | "sealed bit"
  | "sealed size"
  | "sealed fit"
  | "cut"
  | "longer"
  | "again"
  | "tag"
  | "control"
  | "junk";
const anyDatagram = (symbolBytes: number) =>
  fc.record<Choice>({
    from: fc.constantFrom<Choice["from"]>("a", "a", "a", "b"),
    chunk: fc.oneof(fc.nat(3), fc.integer({ min: 0, max: limits.counterMax })),
    block: fc.nat(limits.chunkBlocksMax - 1),
    symbol: fc.nat(limits.codedSymbolsMax - 1),
    payload: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 20 }),
      fc.integer({ min: symbolBytes - 20, max: symbolBytes }).map((length) => new Uint8Array(length)),
    ),
    change: fc.constantFrom<Change>(
      "none",
      "none",
      "bit",
      "sealed bit",
      "sealed size",
      "sealed fit",
      "cut",
      "longer",
      "again",
      "tag",
      "control",
      "junk",
    ),
    /** Position of the change, most often in the headers. */
    at: fc.oneof(fc.nat(60), fc.nat(2_000)),
    bit: fc.nat(7),
  });

const anyBatch = fc.constantFrom(usual, jumbo).chain(({ symbolBytes, slots }) =>
  fc.record({
    choices: fc.array(anyDatagram(symbolBytes), { minLength: 1, maxLength: messagesMax }),
    place: fc.constantFrom(...slots),
  }),
);

/** Signs the frame again, as a sender that has the key can do with any content. */
function sealed(frame: Uint8Array, from: string): Uint8Array {
  const nonce = new Uint8Array(nonceBytes);
  if (frame.length >= headerBytes) writeNonce(nonce, uint32At(frame, headerAt.sequence));
  if (frame.length >= tagBytes) symbolTag(nodeCrypto, key, session, from.repeat(16)).sign(nonce, frame);
  return frame;
}

/** Changes the size of the frame, but not the lengths in its headers. */
function resized(frame: Uint8Array, bytes: number): Uint8Array {
  const other = new Uint8Array(Math.min(bytes, limits.datagramMaxBytes));
  other.set(frame.subarray(0, other.length));
  return other;
}

/** Changes the size of the frame and the lengths in its headers. */
function fitted(frame: Uint8Array, bytes: number): Uint8Array {
  const other = resized(frame, Math.max(bytes, symbolOverheadBytes));
  putUint16(other, headerAt.bodyLength, other.length - headerBytes);
  putUint16(other, headerBytes + symbolAt.payloadLength, other.length - symbolOverheadBytes);
  return other;
}

/** Returns frames of two senders, some of them changed in transit. */
function datagramsOf(choices: readonly Choice[]): Uint8Array[] {
  const senders = { a: senderOf("a"), b: senderOf("b") };
  // The first frame makes its sender known to the receiver.
  const datagrams: Uint8Array[] = [Uint8Array.from(senders.a.symbol(0, 0, 0, new Uint8Array(9)))];
  for (const { from, chunk, block, symbol, payload, change, at: place, bit } of choices) {
    const sender = senders[from];
    const frame = Uint8Array.from(sender.symbol(chunk, block, symbol, payload));
    const flipped = (byte: number) => frame.with(byte, frame[byte]! ^ (1 << bit));
    const changed = {
      none: () => frame,
      bit: () => flipped(place % frame.length),
      "sealed bit": () => sealed(flipped(place % (frame.length - tagBytes)), from),
      "sealed size": () => sealed(resized(frame, frame.length + (place % 41) - 20), from),
      "sealed fit": () => sealed(fitted(frame, frame.length + (place % 41) - 20), from),
      cut: () => frame.subarray(0, place % frame.length),
      longer: () => Uint8Array.from([...frame, bit]),
      again: () => datagrams[place % Math.max(1, datagrams.length)] ?? frame,
      tag: () => flipped(frame.length - 1 - (place % 16)),
      control: () =>
        Uint8Array.from(sender.control({ type: "resign", device: "0123456789abcdef", term: 1, reason: "" })),
      junk: () => payload,
    }[change]();
    datagrams.push(changed);
  }
  return datagrams;
}

describe.skipIf(isMissing)("a batch in the kernel's memory (skipped without WebAssembly SIMD)", () => {
  test("gives the same results as frames received one at a time, and as the library", () => {
    fc.assert(
      fc.property(anyBatch, ({ choices, place }) => {
        const datagrams = datagramsOf(choices);
        const alone = receiverOf();
        const expected = datagrams.map((datagram) => noteOf(alone.receive(datagram)));
        const together = receiverOf();
        const notes = [datagrams.slice(0, 1), datagrams.slice(1)].flatMap((part) =>
          receiveAll(together, inPlace(part, place)),
        );
        expect(notes).toEqual(expected);
        const plain = receiverOf({ ...nodeCrypto, frameTag: createPlainTag });
        expect(datagrams.flatMap((datagram) => receiveAll(plain, batchOf(datagram, "192.0.2.1")))).toEqual(
          expected,
        );
      }),
      { numRuns: 200 },
    );
  });

  test("leaves the bytes of every frame unchanged after verification", () => {
    const sender = senderOf("a");
    const frames = [1, 7, limits.symbolMaxBytes].map((length) =>
      Uint8Array.from(sender.symbol(1, 0, length % 256, new Uint8Array(length).fill(length))),
    );
    const receiver = receiverOf();
    receiver.receive(Uint8Array.from(sender.symbol(0, 0, 0, new Uint8Array(5))));
    const batch = inPlace(frames);
    expect(receiveAll(receiver, batch)).toMatchObject(frames.map(() => ({ kind: "symbol" })));
    for (const [slot, frame] of frames.entries()) expect(batch.datagram(slot)).toEqual(frame);
  });

  test("drops the remaining frames of a session that is left in the middle of a batch", () => {
    const sender = senderOf("a");
    const frames = [1, 2, 3].map((symbol) =>
      Uint8Array.from(sender.symbol(0, 0, symbol, new Uint8Array(1_400))),
    );
    const receiver = receiverOf();
    receiver.receive(Uint8Array.from(sender.symbol(0, 0, 0, new Uint8Array(1_400))));
    const kinds: string[] = [];
    receiver.receiveBatch(inPlace(frames), (received) => {
      kinds.push(received.kind === "dropped" ? received.reason : received.kind);
      receiver.removeContext(session);
    });
    expect(kinds).toEqual(["symbol", "session", "session"]);
  });

  test("verifies only frames in the kernel's memory that begin with the sender's header", () => {
    const sender = senderOf("a");
    const frame = Uint8Array.from(sender.symbol(0x8765_4321, 0xabcd, 0xef, new Uint8Array(1_400).fill(3)));
    const keyOfSender = new Uint8Array(32).fill(5);
    const tag = createKernelTag(keyOfSender)!;
    const nonce = new Uint8Array(12);
    nonce.set(frame.subarray(headerAt.sequence, headerAt.sequence + 4), 8);
    tag.sign(nonce, frame);
    const head = frame.subarray(0, headerAt.sequence);
    expect([...tag.prove(inPlace([frame]), head)!.subarray(0, 4)]).toEqual([
      0, 0x8765_4321, 0xef_abcd, 1_400,
    ]);
    expect(tag.prove(inPlace([frame]), head.with(21, head[21]! ^ 1))![3]).toBe(0);
    expect(createKernelTag(keyOfSender.with(0, 6))!.prove(inPlace([frame]), head)![3]).toBe(0);
    expect(tag.prove(batchOf(frame, "192.0.2.1"), head)).toBeNull();
  });
});
