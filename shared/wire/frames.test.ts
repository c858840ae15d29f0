/** Tests of the codec against a general one (@msgpack/msgpack) and against random bytes. */
import { decode, encode } from "@msgpack/msgpack";
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { decodeControl } from "./decode.ts";
import { encodeControl, fittedReason } from "./encode.ts";
import { controlFields } from "./fields.ts";
import { wholeChunks, type ControlFrame, type ControlType } from "./frames.ts";
import { limits } from "./limits.ts";
import { anyControlFrame } from "./testing.ts";

const valuesOf = (frame: ControlFrame): unknown[] => {
  const { type: _, ...fields } = frame;
  return Object.values(fields);
};
const device = "00112233445566aa";
const resignBody = (...values: unknown[]): [ControlType, Uint8Array] => ["resign", encode(values)];
const wantBody = (ranges: unknown): [ControlType, Uint8Array] => ["want", encode([device, ranges, 1])];
const needBody = (entries: unknown): [ControlType, Uint8Array] => [
  "need",
  encode([device, 1, 1, entries, 1, 1_400]),
];

describe("control bodies", () => {
  test("decodes every frame from its bytes, which a general decoder reads as its fields in order", () => {
    fc.assert(
      fc.property(anyControlFrame, (frame) => {
        const body = encodeControl(frame);
        expect(body.length).toBeLessThanOrEqual(limits.bodyMaxBytes);
        expect(decode(body)).toEqual(valuesOf(frame));
        expect(decodeControl(frame.type, body)).toEqual(frame);
      }),
      { numRuns: 2_000 },
    );
  });

  test("decodes the fields that a general encoder wrote to the same frame", () => {
    fc.assert(
      fc.property(anyControlFrame, (frame) => {
        expect(decodeControl(frame.type, encode(valuesOf(frame)))).toEqual(frame);
      }),
      { numRuns: 500 },
    );
  });

  test("skips up to 16 further fields of any msgpack type, which a later version added", () => {
    const later = [
      null,
      true,
      -5,
      1.5,
      "text",
      new Uint8Array(300),
      [1, [2, [3]]],
      { a: { b: [1] } },
      2 ** 40,
    ];
    expect(decodeControl(...resignBody(device, 1, "done", ...later))).toEqual({
      type: "resign",
      device,
      term: 1,
      reason: "done",
    });
    fc.assert(
      fc.property(anyControlFrame, fc.array(fc.anything(), { maxLength: 3 }), (frame, further) => {
        const values = JSON.parse(JSON.stringify(further)) as unknown[];
        expect(decodeControl(frame.type, encode([...valuesOf(frame), ...values]))).toEqual(frame);
      }),
      { numRuns: 500 },
    );
  });

  test("accepts integers of any unsigned width", () => {
    const body = [0x93, 0xb0, ...Buffer.from(device), 0xcf, 0, 0, 0, 0, 0, 0, 0, 7, 0xd9, 2, 0x6f, 0x6b];
    expect(decodeControl("resign", Uint8Array.from(body))).toEqual({
      type: "resign",
      device,
      term: 7,
      reason: "ok",
    });
  });

  test("fits the longest lists into a datagram", () => {
    const ranges = Array.from({ length: limits.rangesMax }, (_, i) => [
      0xf000_0000 + i * 131_072,
      65_536,
    ]).flat();
    const entries = Array.from({ length: limits.needsMax }, (_, i) => [
      0xffff_ffff,
      65_000 + i,
      limits.blockSymbolsMax,
    ]).flat();
    const counter = limits.counterMax;
    const seek = {
      type: "seek",
      device,
      haveCount: counter,
      missing: ranges,
      lanPort: 65_535,
      term: counter,
      symbolMaxBytes: limits.symbolMaxBytes,
    } as const;
    const need = {
      type: "need",
      device,
      term: counter,
      pass: counter,
      entries,
      lanPort: 65_535,
      symbolSizeBytes: limits.symbolMaxBytes,
    } as const;
    const have = { type: "have", device, ranges, load: 100, lanPort: 65_535, toDevice: device } as const;
    const runs = Array.from({ length: limits.needsMax }, (_, i) => [
      0xf000_0000 + i * 131_072,
      wholeChunks,
      65_536,
    ]);
    const wholes = { ...need, entries: runs.flat() };
    for (const frame of [seek, need, wholes, have])
      expect(decodeControl(frame.type, encodeControl(frame))).toEqual(frame);
  });

  test.each([
    ["nothing", ["resign", new Uint8Array(0)]],
    ["a string instead of an array", ["resign", encode("resign")]],
    ["a field too few", resignBody(device, 1)],
    ["17 fields too many", resignBody(device, 1, "", ...Array.from({ length: 17 }, () => 0))],
    ["a further field that is cut off", ["resign", encode([device, 1, "", "cut"]).slice(0, -1)]],
    [
      "a further field that is not msgpack",
      ["resign", Uint8Array.from([...encode([device, 1, "", 0]).slice(0, -1), 0xc1])],
    ],
    [
      "a further field that claims 2^32-1 elements",
      ["resign", Uint8Array.from([...encode([device, 1, "", 0]).slice(0, -1), 0xdd, 0xff, 0xff, 0xff, 0xff])],
    ],
    ["trailing bytes", ["resign", Uint8Array.from([...encode([device, 1, ""]), 0xc0])]],
    ["a negative number", resignBody(device, -1, "")],
    ["a fraction", resignBody(device, 1.5, "")],
    ["nil", resignBody(device, null, "")],
    ["a number as a string", resignBody(device, "1", "")],
    ["a term above 32 bits", resignBody(device, 2 ** 32, "")],
    ["an upper-case device", resignBody(device.toUpperCase(), 1, "")],
    ["a short device", resignBody(device.slice(1), 1, "")],
    ["a reason of 201 bytes", resignBody(device, 1, "x".repeat(201))],
    ["a reason with an escape sequence", resignBody(device, 1, "\u001b[2J")],
    [
      "a reason that is not UTF-8",
      ["resign", Uint8Array.from([...encode([device, 1]).with(0, 0x93), 0xa1, 0xff])],
    ],
    ["a map", ["want", encode({ device })]],
    ["half a range", wantBody([1])],
    ["an empty range", wantBody([1, 0])],
    ["descending ranges", wantBody([5, 1, 3, 1])],
    ["overlapping ranges", wantBody([5, 3, 7, 1])],
    ["a range beyond 32 bits", wantBody([0xffff_ffff, 2])],
    ["129 ranges", wantBody(Array.from({ length: 129 }, (_, i) => [i * 2, 1]).flat())],
    [
      "an array that claims 65,535 elements",
      ["want", Uint8Array.from([...encode([device]).with(0, 0x93), 0xdc, 0xff, 0xff])],
    ],
    [
      "an array that claims 2^32-1 elements",
      ["want", Uint8Array.from([...encode([device]).with(0, 0x93), 0xdd, 0xff, 0xff, 0xff, 0xff])],
    ],
    ["a need of no symbols", needBody([1, 1, 0])],
    ["a need of 129 symbols", needBody([1, 1, 129])],
    ["a need of the same block twice", needBody([1, 1, 2, 1, 1, 2])],
    ["a need of block 65,536", needBody([1, 65_536, 2])],
    ["a load of 101", ["have", encode([device, [], 101, 1, device])]],
    ["a port of 65,536", ["want", encode([device, [], 65_536])]],
    ["phase 3", ["announce", encode([device, 1, 1, 3, 0, 0, 0, 0, 0, 1_400, 0, 1])]],
    ["symbols of 8,905 bytes", ["announce", encode([device, 1, 1, 1, 0, 0, 0, 0, 0, 8_905, 0, 1])]],
    ["symbols of 15 bytes", ["announce", encode([device, 1, 1, 1, 0, 0, 0, 0, 0, 15, 0, 1])]],
    ["symbols of no bytes", ["announce", encode([device, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1])]],
  ] as [string, [ControlType, Uint8Array]][])("refuses %s", (_, [type, body]) => {
    expect(decodeControl(type, body)).toBeNull();
  });

  test("refuses every body that is cut short", () => {
    fc.assert(
      fc.property(anyControlFrame, fc.nat(), (frame, cut) => {
        const body = encodeControl(frame);
        expect(decodeControl(frame.type, body.subarray(0, cut % body.length))).toBeNull();
      }),
      { numRuns: 1_000 },
    );
  });

  test("never throws for random bytes and mutated bodies, and can encode every frame it decodes", () => {
    const types = Object.keys(controlFields) as ControlType[];
    const garbage = fc.tuple(fc.constantFrom(...types), fc.uint8Array({ maxLength: 200 }));
    const mutated = fc
      .tuple(anyControlFrame, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([frame, changes]): [ControlType, Uint8Array] => {
        const body = encodeControl(frame);
        for (const [at, value] of changes) body[at % body.length] = value;
        return [frame.type, body];
      });
    fc.assert(
      fc.property(fc.oneof(garbage, mutated), ([type, body]) => {
        const frame = decodeControl(type, body);
        if (frame !== null) expect(decodeControl(type, encodeControl(frame))).toEqual(frame);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("writing a frame", () => {
  test("refuses a field beyond its limit and names field and value", () => {
    const want: ControlFrame = { type: "want", device, ranges: [5, 1, 3, 1], lanPort: 1 };
    expect(() => encodeControl(want)).toThrow("want.ranges cannot be [5,1,3,1]");
    expect(() => encodeControl({ ...want, ranges: [], lanPort: 70_000 })).toThrow(
      "want.lanPort cannot be 70000",
    );
    expect(() => encodeControl({ ...want, ranges: [], device: "me" })).toThrow('want.device cannot be "me"');
  });

  test("shortens any text to a valid reason", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        const frame: ControlFrame = { type: "resign", device, term: 1, reason: text };
        const decoded = decodeControl("resign", encodeControl(frame));
        expect(decoded).toEqual({ ...frame, reason: fittedReason(text) });
      }),
    );
    expect(fittedReason("disk\n\u001b[31mfull")).toBe("disk [31mfull");
    expect(Buffer.byteLength(fittedReason("é".repeat(150)))).toBe(200);
  });
});
