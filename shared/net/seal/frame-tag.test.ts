/** Compares the kernel and the library of the frame tag with RFC 8439 and with each other. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { kernelBytes } from "./frame-tag-kernel.ts";
import { createFrameTag, createKernelTag, createPlainTag } from "./frame-tag.ts";

const mustRun = process.env.CI === "true";
const anyKey = fc.uint8Array({ minLength: 32, maxLength: 32 });
const anyNonce = fc.uint8Array({ minLength: 12, maxLength: 12 });
/** Includes messages of all-ones, whose carries pass through every limb. */
const anyMessage = fc.oneof(
  fc.uint8Array({ maxLength: 1_456 }),
  fc.nat(1_456).map((length) => new Uint8Array(length).fill(0xff)),
);
const framed = (message: Uint8Array): Uint8Array => Buffer.concat([message, new Uint8Array(16)]);

describe.each([
  ["kernel", createKernelTag],
  ["library", createPlainTag],
])("the %s", (name, create) => {
  const tagOf = (key: Uint8Array) => {
    const tag = create(key);
    if (tag === null)
      throw new Error("This machine has no WebAssembly with SIMD: the kernel cannot be tested");
    return tag;
  };
  const isMissing = name === "kernel" && createKernelTag(new Uint8Array(32)) === null && !mustRun;

  test.skipIf(isMissing)("computes the tag of RFC 8439 (skipped without WebAssembly SIMD)", () => {
    // Key, nonce and associated data are those of section 2.8.2, with an empty plaintext. The tag
    // was computed with big integers from the one-time key printed there.
    const key = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
    const nonce = Uint8Array.fromHex("070000004041424344454647");
    const frame = framed(Uint8Array.fromHex("50515253c0c1c2c3c4c5c6c7"));
    tagOf(key).sign(nonce, frame);
    expect(frame.subarray(12).toHex()).toBe("e622e5647a38d967a7ecbcb46c7f675c");
  });

  test.skipIf(isMissing)(
    "rejects every change of a frame, its nonce and its key (skipped without WebAssembly SIMD)",
    () => {
      const key = new Uint8Array(32).fill(7);
      const nonce = new Uint8Array(12).fill(1);
      const frame = framed(Uint8Array.from({ length: 33 }, (_, i) => i));
      const tag = tagOf(key);
      tag.sign(nonce, frame);
      expect(tag.isRight(nonce, frame)).toBe(true);
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const at = bit >>> 3;
        expect(tag.isRight(nonce, frame.with(at, frame[at]! ^ (1 << (bit & 7))))).toBe(false);
      }
      expect(tag.isRight(nonce.with(0, 0), frame)).toBe(false);
      expect(tagOf(key.with(31, 0)).isRight(nonce, frame)).toBe(false);
      for (let length = 0; length < frame.length; length++)
        expect(tag.isRight(nonce, frame.subarray(0, length))).toBe(false);
    },
  );
});

/**
 * RFC 8439, appendix A.3, vectors 5 to 11, without trailing zeros. Random keys practically never
 * reach sums this close to 2^130 - 5.
 */
const edges: readonly { r: string; s?: string; text: string; tag: string }[] = [
  { r: "02", text: "ff".repeat(16), tag: "03" },
  { r: "02", s: "ff".repeat(16), text: "02".padEnd(32, "0"), tag: "03" },
  { r: "01", text: `${"ff".repeat(16)}f0${"ff".repeat(15)}11${"00".repeat(15)}`, tag: "05" },
  { r: "01", text: `${"ff".repeat(16)}fb${"fe".repeat(15)}${"01".repeat(16)}`, tag: "" },
  { r: "02", text: `fd${"ff".repeat(15)}`, tag: `fa${"ff".repeat(15)}` },
  {
    r: "010000000000000004",
    text: `e33594d7505e43b900000000000000003394d7505e4379cd01${"00".repeat(23)}01${"00".repeat(15)}`,
    tag: "140000000000000055",
  },
  {
    r: "010000000000000004",
    text: `e33594d7505e43b900000000000000003394d7505e4379cd01${"00".repeat(23)}`,
    tag: "13",
  },
];

test.skipIf(createKernelTag(new Uint8Array(32)) === null && !mustRun)(
  "the kernel reduces sums that reach 2^130 - 5 (skipped without WebAssembly SIMD)",
  () => {
    for (const { r, s = "", text, tag } of edges) {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(kernelBytes));
      const { memory, poly } = exports as {
        memory: WebAssembly.Memory;
        poly: (at: number, length: number) => void;
      };
      const bytes = new Uint8Array(memory.buffer);
      const message = Uint8Array.fromHex(text);
      bytes.set(Uint8Array.fromHex(r), 64);
      bytes.set(Uint8Array.fromHex(s), 80);
      bytes.set(message, 128);
      poly(128, message.length);
      expect(bytes.subarray(48, 64).toHex()).toBe(tag.padEnd(32, "0"));
    }
  },
);

test.skipIf(createKernelTag(new Uint8Array(32)) === null && !mustRun)(
  "kernel and library agree, also when keys alternate (skipped without WebAssembly SIMD)",
  () => {
    fc.assert(
      fc.property(anyKey, anyKey, anyNonce, anyMessage, (key, other, nonce, message) => {
        const kernel = createKernelTag(key)!;
        const frame = framed(message);
        createPlainTag(key).sign(nonce, frame);
        createKernelTag(other)!.sign(nonce, framed(message));
        expect(kernel.isRight(nonce, frame)).toBe(true);
        const own = framed(message);
        kernel.sign(nonce, own);
        expect(own.toHex()).toBe(frame.toHex());
      }),
      { numRuns: 300 },
    );
  },
);

test("the kernel refuses a frame above the size limit and names its size", () => {
  expect(() => createFrameTag(new Uint8Array(32)).sign(new Uint8Array(12), new Uint8Array(8_973))).toThrow(
    "8973 bytes",
  );
});
