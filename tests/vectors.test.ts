/**
 * Golden vectors of docs/PROTOCOL.md: encoded, decoded, and read by another msgpack implementation.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as v from "valibot";
import { erasureVectors, frameVectors } from "../scripts/generate/vectors.ts";
import { blockLayout, createErasureCode, createTypescriptCode } from "../shared/fec/index.ts";
import { nodeCrypto as crypto } from "../shared/net/seal/aead.ts";
import { controlFields } from "../shared/wire/fields.ts";
import {
  chunkCipherOf,
  createFrameReceiver,
  createFrameWriter,
  createIncarnation,
  dropReasons,
  frameTypes,
  limits,
  sessionOf,
  type ControlFrame,
  type ControlType,
} from "../shared/wire/index.ts";

const root = join(import.meta.dir, "..");
const framesPath = join(root, "docs/vectors/frames.json");

const frameSchema = v.looseObject({
  type: v.picklist(Object.keys(frameTypes) as (keyof typeof frameTypes)[]),
  sequence: v.number(),
  fields: v.record(v.string(), v.unknown()),
  frame: v.string(),
});
const frameFileSchema = v.looseObject({
  contextKey: v.string(),
  session: v.string(),
  deployment: v.number(),
  sender: v.string(),
  chunks: v.array(v.object({ chunk: v.number(), bytes: v.string(), encrypted: v.string() })),
  receiver: v.object({ ownSender: v.string(), hasSessions: v.array(v.string()) }),
  frames: v.array(frameSchema),
  laterFrames: v.array(frameSchema),
  badFrames: v.array(v.object({ about: v.string(), reason: v.picklist(dropReasons), frame: v.string() })),
});
const symbolFieldsSchema = v.strictObject({
  chunk: v.number(),
  block: v.number(),
  symbol: v.number(),
  payload: v.string(),
});
const erasureFileSchema = v.looseObject({
  layouts: v.array(
    v.object({
      chunkLengthBytes: v.number(),
      symbolSizeBytes: v.number(),
      symbolCount: v.number(),
      sourceSymbolsOfBlocks: v.array(v.number()),
    }),
  ),
  blocks: v.array(
    v.object({
      k: v.number(),
      symbolSizeBytes: v.number(),
      sourceSymbols: v.array(v.string()),
      repairSymbols: v.array(v.object({ symbol: v.number(), payload: v.string() })),
    }),
  ),
});
const read = async (path: string): Promise<unknown> => await Bun.file(path).json();
const vectors = v.parse(frameFileSchema, await read(framesPath));
const erasure = v.parse(erasureFileSchema, await read(join(root, "docs/vectors/fec.json")));
const key = Uint8Array.fromHex(vectors.contextKey);

describe("the files", () => {
  test("equal the output of the generator", () => {
    expect(vectors as unknown).toEqual(frameVectors());
    expect(erasure as unknown).toEqual(erasureVectors());
  });

  test("show every frame type and every reason to drop a frame", () => {
    expect(new Set(vectors.frames.map((frame) => frame.type))).toEqual(
      new Set(Object.keys(frameTypes) as (keyof typeof frameTypes)[]),
    );
    expect(new Set(vectors.badFrames.map((frame) => frame.reason))).toEqual(new Set(dropReasons));
  });
});

describe("frames", () => {
  test("are encoded as the golden bytes", () => {
    const { session, deployment } = vectors;
    expect(sessionOf(crypto, key)).toBe(session);
    for (const { type, sequence, fields, frame } of vectors.frames) {
      const incarnation = createIncarnation(vectors.sender);
      incarnation.counterOf(session).next = sequence;
      const sender = createFrameWriter({ crypto, deployment, session, key, incarnation });
      let made: Uint8Array;
      if (type === "symbol") {
        const { chunk, block, symbol, payload } = v.parse(symbolFieldsSchema, fields);
        made = sender.symbol(chunk, block, symbol, Uint8Array.fromHex(payload));
      } else made = sender.control({ type, ...fields } as ControlFrame);
      expect(made.toHex()).toBe(frame);
    }
  });

  test("are decoded to their fields, and each bad one is dropped for its reason", () => {
    const receiver = createFrameReceiver({
      crypto,
      deployment: vectors.deployment,
      ownSender: vectors.receiver.ownSender,
    });
    receiver.addContext(vectors.session, key);
    for (const { type, sequence, fields, frame } of [...vectors.frames, ...vectors.laterFrames]) {
      const received = receiver.receive(Uint8Array.fromHex(frame));
      if (received.kind === "symbol") {
        const { chunk, block, symbol, payload } = received;
        expect({ chunk, block, symbol, payload: payload.toHex() } as unknown).toEqual(fields);
      } else
        expect(received as unknown).toEqual({
          kind: "control",
          header: { session: vectors.session, sender: vectors.sender, sequence },
          frame: { type, ...fields },
        });
    }
    for (const { about, reason, frame } of vectors.badFrames) {
      const received = receiver.receive(Uint8Array.fromHex(frame));
      expect({ about, ...received } as unknown).toEqual({ about, kind: "dropped", reason });
    }
  });
});

test("chunks are encrypted and decrypted as in the file", () => {
  const cipher = chunkCipherOf(crypto, key, vectors.session);
  for (const { chunk, bytes, encrypted } of vectors.chunks) {
    expect(cipher(chunk, Uint8Array.fromHex(bytes)).toHex()).toBe(encrypted);
    expect(cipher(chunk, Uint8Array.fromHex(encrypted)).toHex()).toBe(bytes);
  }
});

/** A python3 with msgpack. Another python3 may precede Debian's own on the PATH. */
const python = ["python3", "/usr/bin/python3"].find(
  (program) => Bun.which(program) !== null && Bun.spawnSync([program, "-c", "import msgpack"]).exitCode === 0,
);
const mustRun = process.env.CI === "true";
describe("another msgpack implementation", () => {
  test.skipIf(python === undefined && !mustRun)(
    "reads every header and body (skipped without python3-msgpack)",
    () => {
      if (python === undefined) throw new Error("No python3 with msgpack: install python3-msgpack");
      const run = Bun.spawnSync([python, join(root, "scripts/read_vectors.py"), framesPath]);
      expect(run.stderr.toString()).toBe("");
      expect(run.stdout.toString()).toBe(`${vectors.frames.length} frames read\n`);
      expect(run.exitCode).toBe(0);
    },
  );
});

describe("erasure code", () => {
  test("divides chunks into blocks as in the file", () => {
    for (const { chunkLengthBytes, symbolSizeBytes, symbolCount, sourceSymbolsOfBlocks } of erasure.layouts) {
      const layout = blockLayout(chunkLengthBytes, symbolSizeBytes);
      expect(layout.symbolCount).toBe(symbolCount);
      expect(Array.from({ length: layout.blockCount }, (_, block) => layout.k(block))).toEqual(
        sourceSymbolsOfBlocks,
      );
    }
  });

  // Two different kernels if SIMD is available.
  test.each([createTypescriptCode(), createErasureCode()])(
    "kernel $kernel encodes the repair symbols of the file, and restores lost symbols from them",
    (code) => {
      for (const { k, symbolSizeBytes, sourceSymbols, repairSymbols } of erasure.blocks) {
        const bytes = Buffer.concat(sourceSymbols.map((symbol) => Uint8Array.fromHex(symbol)));
        for (const { symbol, payload } of repairSymbols)
          expect(code.repairSymbols({ bytes, k, symbolSizeBytes }, symbol, 1).toHex()).toBe(payload);
        const missing = Array.from({ length: Math.min(k, repairSymbols.length) }, (_, i) => i);
        const damaged = Uint8Array.from(bytes).fill(0xff, 0, missing.length * symbolSizeBytes);
        const repairs = repairSymbols.map(({ symbol, payload }) => ({
          symbol,
          payload: Uint8Array.fromHex(payload),
        }));
        expect(code.recover({ bytes: damaged, k, symbolSizeBytes }, missing, repairs)).toBe(true);
        expect(Buffer.compare(damaged, bytes)).toBe(0);
      }
    },
  );
});

describe("docs/PROTOCOL.md", () => {
  test("names every limit, frame type, field and drop reason of the code", async () => {
    const padded = await Bun.file(join(root, "docs/PROTOCOL.md")).text();
    const text = padded.replaceAll(/ +/g, " ");
    for (const [name, value] of Object.entries(limits))
      expect(text).toContain(`| \`${name}\` | ${value.toLocaleString("en-US")} |`);
    for (const [type, number] of Object.entries(frameTypes))
      expect(text).toContain(`| ${number} | \`${type}\` |`);
    for (const type of Object.keys(controlFields) as ControlType[])
      expect(text).toContain(`[${controlFields[type].map(([name]) => name).join(", ")}]`);
    for (const reason of dropReasons) expect(text).toContain(`| \`${reason}\` |`);
  });
});
