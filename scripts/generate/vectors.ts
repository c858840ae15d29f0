/**
 * `bun run generate vectors`: writes the golden vectors of docs/PROTOCOL.md to docs/vectors/*.json.
 *
 * The same input gives the same bytes, so a change of the files is a change of the protocol.
 * `tests/vectors.test.ts` compares the files with these functions, and decodes them.
 */
import { encode } from "@msgpack/msgpack";
import { join } from "node:path";
import { blockLayout, createErasureCode } from "../../shared/fec/index.ts";
import { nodeCrypto as crypto } from "../../shared/net/seal/aead.ts";
import { encodeControl, writeHeader, writeHeaderOf, writeSymbol } from "../../shared/wire/encode.ts";
import { headerAt, headerBytes, associatedBytes, nonceBytes, tagBytes } from "../../shared/wire/layout.ts";
import {
  chunkCipherOf,
  chunkKeyOf,
  frameKeyOf,
  frameSeal,
  symbolKeyOf,
  symbolTag,
  writeNonce,
} from "../../shared/wire/seal.ts";
import {
  frameTypes,
  limits,
  sessionOf,
  type ControlFrame,
  type DropReason,
  type FrameType,
} from "../../shared/wire/index.ts";

const key = Uint8Array.from({ length: 16 }, (_, i) => i);
const deployment = 0xf10cca57;
const sender = "5e4d3c2b1a090807";
const ownSender = "0123456789abcdef";
const session = sessionOf(crypto, key);
const device = "d0d1d2d3d4d5d6d7";

type SymbolFields = { chunk: number; block: number; symbol: number; payload: string };
/** A frame and its parts; bytes are in hex. `fields` are in the order of the body's array. */
type FrameVector = {
  readonly type: FrameType;
  readonly typeNumber: number;
  readonly sequence: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly frame: string;
};
type BadFrameVector = { readonly about: string; readonly reason: DropReason; readonly frame: string };

const controlFrames: readonly ControlFrame[] = [
  {
    type: "seek",
    device,
    haveCount: 7,
    missing: [3, 2, 40, 300, 70_000, 1],
    lanPort: 45_678,
    term: 0,
    symbolMaxBytes: 8_904,
  },
  { type: "claim", device, term: 1, ticket: 3_735_928_559, lanPort: 45_678, haveCount: 7 },
  {
    type: "announce",
    device,
    term: 1,
    ticket: 3_735_928_559,
    phase: 1,
    startsInMs: 0,
    frontCount: 512,
    castCount: 384,
    pass: 2,
    audience: 31,
    symbolSizeBytes: 1_400,
    rateBps: 10_000_000_000,
    lanPort: 45_678,
  },
  {
    type: "end",
    device,
    term: 1,
    pass: 2,
    castRanges: [0, 512],
    symbolsSent: 96_256,
    sentAtMs: 4_294_967_295,
  },
  {
    type: "need",
    device,
    term: 1,
    pass: 2,
    entries: [5, 0, 3, 5, 2, 1, 511, 2, 128],
    lanPort: 45_678,
    symbolSizeBytes: 1_400,
  },
  { type: "want", device, ranges: [], lanPort: 45_678 },
  { type: "have", device, ranges: [0, 4_294_967_295], load: 100, lanPort: 1, toDevice: "0000000000000001" },
  { type: "report", device, term: 1, pass: 2, lossPermille: 13, queuedMs: 200 },
  { type: "entrust", device, term: 1, toDevice: "0000000000000001", ranges: [0, 40, 41, 1] },
  { type: "ask", device, term: 1, toDevice: "0000000000000001" },
  { type: "resign", device, term: 4_294_967_295, reason: "Datenträger voll: 12 MiB frei" },
];
const symbols: readonly SymbolFields[] = [
  { chunk: 0, block: 0, symbol: 0, payload: "00" },
  { chunk: 4_294_967_295, block: 65_534, symbol: 255, payload: noise(1_400, 1).toHex() },
  { chunk: 1, block: 2, symbol: 3, payload: noise(8_904, 2).toHex() },
];

/**
 * Returns pseudo-random bytes, the high bytes of a linear congruential generator. The golden files
 * depend on this generator.
 */
function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

function sealed(type: FrameType, sequence: number, body: Uint8Array, from = sender): Uint8Array {
  const header = new Uint8Array(headerBytes);
  writeHeader(header, { deployment, session, sender: from });
  writeHeaderOf(header, type, sequence, body.length + tagBytes);
  const frame = Buffer.concat([header, body, new Uint8Array(tagBytes)]);
  if (type === "symbol") {
    const nonce = new Uint8Array(nonceBytes);
    writeNonce(nonce, sequence);
    symbolTag(crypto, key, session, from).sign(nonce, frame);
  } else {
    const seal = frameSeal(crypto, key, session, from);
    seal.sealInto(header.subarray(0, associatedBytes), body, frame.subarray(headerBytes));
  }
  return frame;
}

function goodFrames(): FrameVector[] {
  const vectors: FrameVector[] = [];
  const add = (type: FrameType, fields: Readonly<Record<string, unknown>>, body: Uint8Array): void => {
    const sequence = vectors.length * 1_000;
    const frame = sealed(type, sequence, body).toHex();
    vectors.push({ type, typeNumber: frameTypes[type], sequence, fields, body: body.toHex(), frame });
  };
  for (const { type, ...fields } of controlFrames)
    add(type, fields, encodeControl({ type, ...fields } as ControlFrame));
  for (const fields of symbols) {
    const body = new Uint8Array(limits.datagramMaxBytes);
    const payload = Uint8Array.fromHex(fields.payload);
    const length = writeSymbol(body, 0, fields.chunk, fields.block, fields.symbol, payload);
    add("symbol", fields, body.subarray(0, length));
  }
  return vectors;
}

const bodyOf = (...values: unknown[]): Uint8Array => encode(values);

/**
 * Returns frames that each differ in one thing from an accepted one. The sequences are above those
 * of the good frames.
 */
function badFrames(good: readonly FrameVector[]): BadFrameVector[] {
  const body = bodyOf(device, 1, "");
  const whole = sealed("resign", 90_000, body);
  const frame = (at: number, value: number): Uint8Array => Uint8Array.from(whole).with(at, value);
  const vectors: BadFrameVector[] = [];
  const add = (reason: DropReason, about: string, bytes: Uint8Array): void => {
    vectors.push({ about, reason, frame: bytes.toHex() });
  };
  add("short", "no room for a body", whole.subarray(0, headerBytes + tagBytes));
  add("oversized", "8,973 bytes", sealed("resign", 90_000, new Uint8Array(8_921)));
  add("version", "version 2", frame(headerAt.version, 2));
  add("header", "an array of six", frame(0, 0x96));
  add("header", "a sequence in another encoding", frame(headerAt.sequence - 1, 0xd2));
  add("header", "a body that ends early", whole.subarray(0, whole.length - 1));
  add("own", "the receiver's own sender", sealed("resign", 90_000, body, ownSender));
  add("deployment", "another deployment", frame(headerAt.deployment, 0));
  add("type", "type 13", frame(headerAt.type, 13));
  add("session", "a session nobody added", frame(headerAt.session, 0));
  add("replay", "the first good frame again", Uint8Array.fromHex(good[0]!.frame));
  add("seal", "a changed sequence", frame(headerAt.sequence, 1));
  add("seal", "a changed type", frame(headerAt.type, frameTypes.claim));
  add("seal", "a changed ciphertext", frame(headerBytes, whole[headerBytes]! ^ 1));
  add("seal", "a changed tag", frame(whole.length - 1, whole.at(-1)! ^ 1));
  const symbol = Uint8Array.fromHex(good.find(({ type }) => type === "symbol")!.frame);
  // The sequence is new, so that the tag is the only fault.
  symbol.set([0, 1, 0x60, 0], headerAt.sequence);
  add("seal", "a symbol of another sequence", symbol);
  const bodies: readonly (readonly [string, FrameType, Uint8Array])[] = [
    ["a field too few", "resign", bodyOf(device, 1)],
    ["17 further fields", "resign", bodyOf(device, 1, "", ...Array.from({ length: 17 }, () => 0))],
    [
      "a further field that is no msgpack",
      "resign",
      Buffer.concat([bodyOf(device, 1, "", 0).subarray(0, -1), Uint8Array.of(0xc1)]),
    ],
    ["a byte after the array", "resign", Buffer.concat([body, Uint8Array.of(0xc0)])],
    ["a negative term", "resign", bodyOf(device, -1, "")],
    ["a term of 2^32", "resign", bodyOf(device, 2 ** 32, "")],
    ["a device in capitals", "resign", bodyOf(device.toUpperCase(), 1, "")],
    ["a reason of 201 bytes", "resign", bodyOf(device, 1, "x".repeat(201))],
    ["a control character in a reason", "resign", bodyOf(device, 1, "\u001b[2J")],
    ["descending ranges", "want", bodyOf(device, [5, 1, 3, 1], 1)],
    ["runs of whole chunks that overlap", "need", bodyOf(device, 1, 1, [5, 0xffff, 3, 7, 0, 1], 1, 16)],
    ["a range of no chunks", "want", bodyOf(device, [5, 0], 1)],
    ["a range beyond 2^32", "want", bodyOf(device, [4_294_967_295, 2], 1)],
    ["129 ranges", "want", bodyOf(device, Array.from({ length: 129 }, (_, i) => [i * 2, 1]).flat(), 1)],
    ["a need of 129 symbols", "need", bodyOf(device, 1, 1, [0, 0, 129], 1, 16)],
    ["symbols of 15 bytes", "need", bodyOf(device, 1, 1, [0, 0, 1], 1, 15)],
    ["a load of 101", "have", bodyOf(device, [], 101, 1, device)],
    ["a symbol in shortest encodings", "symbol", encode([1, 2, 3, Uint8Array.of(4)])],
    ["a symbol without bytes", "symbol", Uint8Array.fromHex("94ce00000001cd0002cc03c50000")],
  ];
  for (const [i, [about, type, bytes]] of bodies.entries())
    add("body", about, sealed(type, 91_000 + i, bytes));
  return vectors;
}

/**
 * Returns frames with further elements behind the fields, as later versions may send. Receivers
 * skip them.
 */
function laterFrames(): FrameVector[] {
  const further = [null, -1, 1.5, "later", Uint8Array.of(1, 2), [[1], 2], { key: [1] }];
  return controlFrames.slice(0, 3).map(({ type, ...fields }, i) => {
    const body = bodyOf(...Object.values(fields), ...further.slice(i * 3));
    const sequence = 80_000 + i;
    const frame = sealed(type, sequence, body).toHex();
    return { type, typeNumber: frameTypes[type], sequence, fields, body: body.toHex(), frame };
  });
}

/** Returns the content of docs/vectors/frames.json. */
export function frameVectors() {
  const frames = goodFrames();
  return {
    about: "Frames of flockcast protocol version 1; see docs/PROTOCOL.md. Bytes are in hex.",
    contextKey: key.toHex(),
    session,
    deployment,
    sender,
    frameKey: frameKeyOf(crypto, key, session, sender).toHex(),
    symbolKey: symbolKeyOf(crypto, key, session, sender).toHex(),
    chunkKey: chunkKeyOf(crypto, key, session).toHex(),
    chunks: [0, 1, 4_294_967_295].map((chunk) => {
      const bytes = noise(40, chunk);
      const encrypted = chunkCipherOf(crypto, key, session)(chunk, bytes.slice()).toHex();
      return { chunk, bytes: bytes.toHex(), encrypted };
    }),
    receiver: { ownSender, hasSessions: [session] },
    frames,
    laterFrames: laterFrames(),
    badFrames: badFrames(frames),
  };
}

/** Returns the content of docs/vectors/fec.json. */
export function erasureVectors() {
  const code = createErasureCode();
  const shapes: readonly (readonly [number, number, number])[] = [
    [1, 4, 3],
    [2, 8, 16],
    [5, 7, 33],
    [64, 3, 192],
    [128, 3, 384],
  ];
  const chunks: readonly (readonly [number, number])[] = [
    [1, 1_400],
    [89_600, 1_400],
    [89_601, 1_400],
    [179_200, 1_400],
    [179_201, 1_400],
    [262_144, 1_400],
    [4_194_304, 1_400],
    [262_144, 480],
    [4_194_304, 8_904],
    [1_000, 3],
  ];
  return {
    about: "The erasure code of flockcast protocol version 1; see docs/PROTOCOL.md. Bytes are in hex.",
    layouts: chunks.map(([chunkLengthBytes, symbolSizeBytes]) => {
      const layout = blockLayout(chunkLengthBytes, symbolSizeBytes);
      const blocks = Array.from({ length: layout.blockCount }, (_, block) => layout.k(block));
      return {
        chunkLengthBytes,
        symbolSizeBytes,
        symbolCount: layout.symbolCount,
        sourceSymbolsOfBlocks: blocks,
      };
    }),
    blocks: shapes.map(([k, symbolSizeBytes, lengthBytes]) => {
      const bytes = noise(lengthBytes, k);
      const block = { bytes, k, symbolSizeBytes };
      const numbers = [k, k + 1, k + 2, 255];
      return {
        k,
        symbolSizeBytes,
        sourceSymbols: Array.from({ length: k }, (_, source) =>
          bytes.subarray(source * symbolSizeBytes, (source + 1) * symbolSizeBytes).toHex(),
        ),
        repairSymbols: numbers.map((symbol) => ({
          symbol,
          payload: code.repairSymbols(block, symbol, 1).toHex(),
        })),
      };
    }),
  };
}

/** Writes docs/vectors. */
export async function generateVectors(): Promise<void> {
  const folder = join(import.meta.dir, "..", "..", "docs", "vectors");
  await Bun.write(join(folder, "frames.json"), `${JSON.stringify(frameVectors(), null, 2)}\n`);
  await Bun.write(join(folder, "fec.json"), `${JSON.stringify(erasureVectors(), null, 2)}\n`);
}
