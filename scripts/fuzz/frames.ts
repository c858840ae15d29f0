/**
 * Fuzz target of LAN frames. Outsiders change and invent datagrams; insiders hold the key and seal
 * any body.
 */
import { encode } from "@msgpack/msgpack";
import { Reassembly } from "../../shared/core/reassembly/reassembly.ts";
import { createErasureCode } from "../../shared/fec/index.ts";
import { nodeCrypto as crypto } from "../../shared/net/seal/aead.ts";
import { decodeControl } from "../../shared/wire/decode.ts";
import { encodeControl, writeHeader, writeHeaderOf } from "../../shared/wire/encode.ts";
import { controlFields } from "../../shared/wire/fields.ts";
import { frameTypes, type ControlFrame, type ControlType } from "../../shared/wire/frames.ts";
import {
  createFrameReceiver,
  createFrameWriter,
  createIncarnation,
  limits,
  sessionOf,
  wholeChunks,
  type FrameReceiver,
} from "../../shared/wire/index.ts";
import { associatedBytes, headerBytes, nonceBytes, tagBytes } from "../../shared/wire/layout.ts";
import { frameSeal, symbolTag, writeNonce } from "../../shared/wire/seal.ts";
import { SeededRandom } from "./seeded-random.ts";
import { hostileValue, mutated } from "./mutate.ts";
import { promise, type Fuzzing, type Target } from "./target.ts";

const key = Uint8Array.from({ length: 16 }, (_, i) => i * 7 + 1);
const session = sessionOf(crypto, key);
const deployment = 0xf10c_ca57;
const sender = "5e4d3c2b1a090807";
const controlTypes = Object.keys(controlFields) as ControlType[];
const chunkLengthBytes = 40_000;

function anyRanges(random: SeededRandom, chunksMax: number): number[] {
  const ranges: number[] = [];
  let end = 0;
  for (let count = random.oneIn(8) ? limits.rangesMax : random.int(6); count > 0; count--) {
    const first = end + random.edgeValue(0, random.oneIn(4) ? chunksMax : 300);
    const many = 1 + random.edgeValue(0, random.oneIn(4) ? chunksMax : 30);
    if (first + many > chunksMax) break;
    ranges.push(first, many);
    end = first + many;
  }
  return ranges;
}

function anyNeeds(random: SeededRandom, chunksMax: number): number[] {
  const entries: number[] = [];
  let chunk = 0;
  for (let count = random.oneIn(8) ? limits.needsMax : random.int(6); count > 0; count--) {
    chunk += 1 + random.int(random.oneIn(4) ? 5_000 : 3);
    const run = 1 + random.edgeValue(0, 2_000);
    if (chunk + run > chunksMax) break;
    if (random.oneIn(3)) entries.push(chunk, wholeChunks, run);
    else entries.push(chunk, random.edgeValue(0, 65_534), 1 + random.int(64));
    if (entries.at(-2) === wholeChunks) chunk += run;
  }
  return entries;
}

/**
 * Returns a valid frame with numbers anywhere in their bounds.
 * @param chunksMax upper bound on the chunks in its ranges
 */
export function anyFrame(
  random: SeededRandom,
  type: ControlType,
  chunksMax: number = limits.counterMax,
): ControlFrame {
  const frame: Record<string, unknown> = { type };
  for (const [name, kind] of controlFields[type]) {
    if (kind.shape === "uint") frame[name] = random.edgeValue(kind.min, kind.max);
    else if (kind.shape === "list")
      frame[name] = name === "entries" ? anyNeeds(random, chunksMax) : anyRanges(random, chunksMax);
    else frame[name] = name === "reason" ? "done".repeat(random.int(40)) : random.hex(8);
  }
  return frame as ControlFrame;
}

/** Returns the plaintext of a body: valid, nearly valid, or random. */
function hostileBody(random: SeededRandom, type: ControlType): Uint8Array {
  const { type: _, ...fields } = anyFrame(random, type);
  const values: unknown[] = Object.values(fields);
  const at = random.int(values.length + 1);
  if (random.oneIn(2)) values.splice(at, random.int(2), ...(random.oneIn(3) ? [] : [hostileValue(random)]));
  const body = encode(values);
  return random.oneIn(2) ? mutated(random, body) : body;
}

function insiderControl(random: SeededRandom): string {
  const type = random.pick(controlTypes);
  const body = random.oneIn(16) ? random.bytes(random.int(200)) : hostileBody(random, type);
  const frame = decodeControl(type, body);
  if (frame === null) return "body refused";
  const again = decodeControl(type, encodeControl(frame));
  promise(Bun.deepEquals(frame, again), `a decoded ${type} is encoded as the same frame`);
  return `${type} read`;
}

/** Returns a frame with any body under a valid seal. */
function sealed(type: number, body: Uint8Array, sequence: number): Uint8Array {
  const frame = new Uint8Array(headerBytes + body.length + tagBytes);
  writeHeader(frame, { deployment, session, sender });
  writeHeaderOf(frame, "seek", sequence, body.length + tagBytes);
  frame[2] = type;
  if (type === frameTypes.symbol) {
    const nonce = new Uint8Array(nonceBytes);
    writeNonce(nonce, sequence);
    frame.set(body, headerBytes);
    symbolTag(crypto, key, session, sender).sign(nonce, frame);
  } else {
    const seal = frameSeal(crypto, key, session, sender);
    seal.sealInto(frame.subarray(0, associatedBytes), body, frame.subarray(headerBytes));
  }
  return frame;
}

function newReceiver(): FrameReceiver {
  const receiver = createFrameReceiver({ crypto, deployment, ownSender: "0123456789abcdef", sendersMax: 64 });
  receiver.addContext(session, key);
  return receiver;
}

const newReassembly = (): Reassembly =>
  new Reassembly({
    chunkLengthBytes: () => chunkLengthBytes,
    symbolSizeBytes: limits.symbolMaxBytes,
    code: createErasureCode(),
    memoryBytesMax: 200_000,
  });

/** Receives a frame that an insider sealed; a symbol is also added to its chunk. */
function insiderSealed(random: SeededRandom): string {
  const isSymbol = random.oneIn(2);
  const type = isSymbol ? frameTypes.symbol : random.int(128);
  const symbol = [0x94, 0xce, 0, 0, 0, random.int(9), 0xcd, 0, random.int(3), 0xcc, random.int(256), 0xc5];
  const payload = random.bytes(random.oneIn(3) ? random.int(1_401) : 1_400);
  const valid = Uint8Array.from([...symbol, payload.length >>> 8, payload.length & 0xff, ...payload]);
  const body = isSymbol ? valid : hostileBody(random, random.pick(controlTypes));
  const changed = random.oneIn(2) ? mutated(random, body) : body;
  const frame = sealed(
    type,
    changed.subarray(0, limits.bodyMaxBytes),
    random.edgeValue(0, limits.counterMax),
  );
  const received = newReceiver().receive(frame);
  if (received.kind === "dropped") return `sealed: ${received.reason}`;
  if (received.kind === "control") return "sealed: read";
  promise(received.payload.length <= limits.symbolMaxBytes, "no payload is longer than a symbol");
  const reception = newReassembly();
  const placed = reception.addSymbol(
    received.chunk,
    received.block,
    received.symbol,
    received.payload,
    sender,
  );
  promise(reception.memoryBytes < 100_000, "one symbol takes the memory of one chunk");
  return `sealed: ${placed}`;
}

/** Receives a datagram that differs from every sealed frame, which has to be dropped. */
function outsider(corpus: readonly Uint8Array[], receiver: FrameReceiver, random: SeededRandom): string {
  const original = random.pick(corpus);
  const datagram = random.oneIn(20) ? random.bytes(random.int(1_500)) : mutated(random, original);
  if (Buffer.compare(datagram, original) === 0) return "unchanged";
  const received = receiver.receive(datagram);
  promise(
    received.kind === "dropped",
    `a changed frame is dropped, this one was accepted as ${received.kind}`,
  );
  return `outsider: ${received.reason}`;
}

function openFrames(): Fuzzing {
  const made = new SeededRandom(1, 1);
  const frameSender = createFrameWriter({
    crypto,
    deployment,
    session,
    key,
    incarnation: createIncarnation(sender),
  });
  const first = frameSender.control({ type: "resign", device: "0123456789abcdef", term: 1, reason: "" });
  const corpus = controlTypes.map((type) => frameSender.control(anyFrame(made, type)));
  corpus.push(
    frameSender.symbol(1, 2, 3, made.bytes(1_400)).slice(),
    frameSender.symbol(1, 2, 4, made.bytes(1)).slice(),
  );
  const receiver = newReceiver();
  // Makes the sender known, so that its keys are not derived again for every case.
  receiver.receive(first);
  return {
    run: (random) => {
      if (random.oneIn(64)) return insiderSealed(random);
      return random.oneIn(4) ? outsider(corpus, receiver, random) : insiderControl(random);
    },
  };
}

export const frames: Target = {
  name: "frames",
  about: "datagrams of the LAN, from outsiders and from insiders who hold the key",
  share: 5_200,
  open: openFrames,
};
