/** Tests of frame writer and receiver together, with the real ciphers. */
import { decode } from "@msgpack/msgpack";
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { nodeCrypto as crypto } from "../net/seal/aead.ts";
import { dropReasons, type ControlFrame, type DropReason } from "./frames.ts";
import { createIncarnation } from "./incarnation.ts";
import { headerAt, headerBytes, symbolOverheadBytes } from "./layout.ts";
import { limits } from "./limits.ts";
import { createFrameReceiver, type FrameReceiver } from "./receiver.ts";
import { sessionOf } from "./seal.ts";
import { createFrameWriter, type FrameWriter } from "./frame-writer.ts";
import { anyControlFrame } from "./testing.ts";

const deployment = 0xdecade01;
const key = Uint8Array.from({ length: 16 }, (_, i) => i);
const otherKey = new Uint8Array(16).fill(0xee);
const session = sessionOf(crypto, key);
const alice = "a11ce00000000001";
const bob = "b0b0000000000002";
const claim: ControlFrame = {
  type: "claim",
  device: "0011223344556677",
  term: 3,
  ticket: 9,
  lanPort: 4_000,
  haveCount: 1,
};

const senderOf = (name: string, contextKey = key): FrameWriter =>
  createFrameWriter({
    crypto,
    deployment,
    session: sessionOf(crypto, contextKey),
    key: contextKey,
    incarnation: createIncarnation(name),
  });
const receiverOf = (name: string, sendersMax?: number): FrameReceiver => {
  const receiver = createFrameReceiver({
    crypto,
    deployment,
    ownSender: name,
    ...(sendersMax === undefined ? {} : { sendersMax }),
  });
  receiver.addContext(session, key);
  return receiver;
};
const reasonOf = (receiver: FrameReceiver, datagram: Uint8Array): DropReason | null => {
  const received = receiver.receive(datagram);
  return received.kind === "dropped" ? received.reason : null;
};
const changed = (datagram: Uint8Array, at: number, value: number): Uint8Array =>
  datagram.slice().with(at, value);

describe("a received frame", () => {
  test("has the content and the sender of the control frame that was sent", () => {
    const sender = senderOf(alice);
    const receiver = receiverOf(bob);
    let sequence = 0;
    fc.assert(
      fc.property(anyControlFrame, (frame) => {
        const datagram = sender.control(frame);
        expect(datagram.length).toBeLessThanOrEqual(limits.datagramMaxBytes);
        const header = { session, sender: alice, sequence: sequence++ };
        expect(receiver.receive(datagram)).toEqual({ kind: "control", header, frame });
      }),
      { numRuns: 1_000 },
    );
  });

  test("has the numbers and the payload of the symbol that was sent, with 66 bytes of framing", () => {
    const sender = senderOf(alice);
    const receiver = receiverOf(bob);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.nat(65_534),
        fc.nat(255),
        fc.uint8Array({ minLength: 1, maxLength: 1_400 }),
        (chunk, block, symbol, payload) => {
          const datagram = sender.symbol(chunk, block, symbol, payload);
          expect(datagram.length).toBe(payload.length + symbolOverheadBytes);
          const received = receiver.receive(datagram);
          expect(received).toEqual({
            kind: "symbol",
            session,
            sender: alice,
            chunk,
            block,
            symbol,
            payload: expect.anything(),
          });
          if (received.kind === "symbol") expect(Buffer.compare(received.payload, payload)).toBe(0);
          expect(decode(datagram)).toEqual([
            1,
            4,
            deployment,
            datagram.subarray(headerAt.session, headerAt.session + 8),
            datagram.subarray(headerAt.sender, headerAt.sender + 8),
            expect.any(Number),
            datagram.subarray(headerBytes),
          ]);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("belongs to one of several sessions of a receiver", () => {
    const receiver = receiverOf(bob);
    const other = senderOf(alice, otherKey);
    expect(reasonOf(receiver, other.control(claim))).toBe("session");
    receiver.addContext(other.session, otherKey);
    expect(receiver.receive(other.control(claim))).toMatchObject({ header: { session: other.session } });
    expect(receiver.receive(senderOf(alice).control(claim))).toMatchObject({ header: { session } });
    receiver.removeContext(other.session);
    expect(reasonOf(receiver, other.control(claim))).toBe("session");
  });
});

describe("the receiver drops", () => {
  const good = senderOf(alice).control(claim);
  test.each([
    ["short", good.subarray(0, headerBytes + 16)],
    ["short", new Uint8Array(0)],
    ["oversized", new Uint8Array(limits.datagramMaxBytes + 1)],
    ["header", changed(good, 0, 0x96)],
    ["header", changed(good, headerAt.session - 1, 9)],
    ["header", good.subarray(0, good.length - 1)],
    ["header", Uint8Array.from([...good, 0])],
    ["version", changed(good, headerAt.version, 2)],
    ["own", senderOf(bob).control(claim)],
    ["deployment", changed(good, headerAt.deployment, 0)],
    ["type", changed(good, headerAt.type, 0)],
    ["type", changed(good, headerAt.type, 13)],
    ["session", changed(good, headerAt.session, good[headerAt.session]! ^ 1)],
    ["seal", changed(good, headerAt.type, 9)],
    ["seal", changed(good, headerAt.sender, 0)],
    ["seal", changed(good, headerAt.sequence, 1)],
    ["seal", changed(good, headerBytes, good[headerBytes]! ^ 1)],
    ["seal", changed(good, good.length - 1, good.at(-1)! ^ 1)],
  ] as [DropReason, Uint8Array][])("a frame with the reason %s", (reason, datagram) => {
    const receiver = receiverOf(bob);
    expect(reasonOf(receiver, datagram)).toBe(reason);
    // The receiver keeps no state of it: the real frame is still accepted.
    expect(reasonOf(receiver, good)).toBeNull();
  });

  test("a repeated frame, also after frames of other senders", () => {
    const receiver = receiverOf(bob);
    const carol = senderOf("ca401e0000000003");
    expect(reasonOf(receiver, good)).toBeNull();
    expect(reasonOf(receiver, good)).toBe("replay");
    expect(reasonOf(receiver, carol.control(claim))).toBeNull();
    expect(reasonOf(receiver, good)).toBe("replay");
  });

  test("a forged sequence far ahead, without locking out the real sender", () => {
    const receiver = receiverOf(bob);
    const sender = senderOf(alice);
    expect(reasonOf(receiver, sender.control(claim))).toBeNull();
    expect(reasonOf(receiver, changed(sender.control(claim), headerAt.sequence, 0xff))).toBe("seal");
    expect(reasonOf(receiver, sender.control(claim))).toBeNull();
  });

  test("frames of an earlier incarnation of this process", () => {
    const receiver = receiverOf(bob);
    receiver.addOwnSender(alice);
    expect(reasonOf(receiver, good)).toBe("own");
  });
});

describe("bounds", () => {
  test("evict the least recent sender for a real one, and no sender for invented ones", () => {
    const receiver = receiverOf(bob, 2);
    const first = senderOf(alice).control(claim);
    const second = senderOf("ca401e0000000003").control(claim);
    expect(reasonOf(receiver, first)).toBeNull();
    expect(reasonOf(receiver, second)).toBeNull();
    for (let i = 0; i < 200; i++)
      expect(reasonOf(receiver, changed(first, headerAt.sender + 7, i + 2))).toBe("seal");
    expect(reasonOf(receiver, first)).toBe("replay");
    expect(reasonOf(receiver, second)).toBe("replay");
    expect(reasonOf(receiver, senderOf("dad0000000000004").control(claim))).toBeNull();
    expect(reasonOf(receiver, second)).toBe("replay");
    expect(reasonOf(receiver, first)).toBeNull();
  });

  test("never repeat a sequence after a process leaves a session and joins it again", () => {
    const incarnation = createIncarnation(alice);
    const join = (): FrameWriter => createFrameWriter({ crypto, deployment, session, key, incarnation });
    const receiver = receiverOf(bob);
    expect(reasonOf(receiver, join().control(claim))).toBeNull();
    expect(reasonOf(receiver, join().control(claim))).toBeNull();
    expect(join().remaining).toBe(2 ** 32 - 2);
  });

  test("refuse a frame after the last sequence was used once", () => {
    const incarnation = createIncarnation(alice);
    incarnation.counterOf(session).next = 0xffff_ffff;
    const sender = createFrameWriter({ crypto, deployment, session, key, incarnation });
    const receiver = receiverOf(bob);
    expect(receiver.receive(sender.control(claim))).toMatchObject({ header: { sequence: 0xffff_ffff } });
    expect(sender.remaining).toBe(0);
    expect(() => sender.control(claim)).toThrow("start a new incarnation");
  });

  test("use no sequence for a frame that cannot be written", () => {
    const sender = senderOf(alice);
    expect(() => sender.symbol(0, 0, 0, new Uint8Array(8_905))).toThrow("A symbol of 8905 bytes");
    expect(() => sender.symbol(0, 0, 256, new Uint8Array(1))).toThrow("No such symbol");
    expect(sender.remaining).toBe(2 ** 32);
  });

  test("give a result for each of 60,000 random and mutated datagrams, never an exception", () => {
    const receiver = receiverOf(bob);
    const sender = senderOf(alice);
    const symbol = (length: number): Uint8Array => sender.symbol(1, 2, 3, new Uint8Array(length).fill(7));
    const valid = fc.oneof(
      anyControlFrame.map((frame) => sender.control(frame)),
      fc.integer({ min: 1, max: 1_400 }).map(symbol),
    );
    const mutated = fc
      .tuple(valid, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.option(fc.nat(1_500)))
      .map(([datagram, changes, length]) => {
        const bytes = length === null ? datagram : datagram.subarray(0, length);
        // Half of the changes are in the header, which is checked before the seal.
        for (const [at, value] of changes)
          if (bytes.length > 0)
            bytes[at % (at % 2 === 0 ? Math.min(36, bytes.length) : bytes.length)] = value;
        return bytes;
      });
    const kinds = new Map<string, number>();
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 1_600 }), mutated), (datagram) => {
        const received = receiver.receive(datagram);
        const kind = received.kind === "dropped" ? received.reason : received.kind;
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }),
      { numRuns: 60_000 },
    );
    expect(kinds.get("control")).toBeGreaterThan(0);
    expect(kinds.get("symbol")).toBeGreaterThan(0);
    expect([...kinds.keys()].every((kind) => ["control", "symbol", ...dropReasons].includes(kind))).toBe(
      true,
    );
  }, 60_000);
});
