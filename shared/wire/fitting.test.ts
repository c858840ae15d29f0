import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { encodeControl } from "./encode.ts";
import { controlFrameMaxBytes, itemsWithin, rangesWithin, symbolBytesIn } from "./fitting.ts";
import type { ControlFrame } from "./frames.ts";
import { headerBytes, symbolOverheadBytes, tagBytes } from "./layout.ts";
import { limits } from "./limits.ts";
import { anyControlFrame } from "./testing.ts";

test.each([
  [576, 480],
  [1_280, 1_184],
  [1_400, 1_304],
  [1_450, 1_352],
  [1_500, 1_400],
  [9_000, 8_904],
  [68, 480],
])("at an MTU of %d bytes symbols have %d bytes", (mtu, symbolBytes) => {
  const datagramBytes = mtu - 28;
  expect(symbolBytesIn(datagramBytes)).toBe(symbolBytes);
  if (mtu >= 576) expect(symbolBytes + symbolOverheadBytes).toBeLessThanOrEqual(datagramBytes);
});

const frameBytesOf = (frame: ControlFrame): number => encodeControl(frame).length + headerBytes + tagBytes;

test("every control frame without a long list fits a datagram at an MTU of 576", () => {
  fc.assert(
    fc.property(anyControlFrame, (frame) => {
      const short = { ...frame, missing: [], ranges: [], castRanges: [], entries: [] };
      expect(frameBytesOf(short)).toBeLessThanOrEqual(limits.smallDatagramMaxBytes);
    }),
  );
});

test("cuts ranges to what fits a datagram at an MTU of 576, and not before that", () => {
  fc.assert(
    fc.property(anyControlFrame, (frame) => {
      if (frame.type !== "have") return;
      const ranges = rangesWithin(limits.smallDatagramMaxBytes, frame.ranges);
      expect(frame.ranges.slice(0, ranges.length)).toEqual([...ranges]);
      const bytes = frameBytesOf({ ...frame, ranges });
      expect(bytes).toBeLessThanOrEqual(limits.smallDatagramMaxBytes);
      if (ranges.length < frame.ranges.length) expect(bytes).toBeGreaterThan(400);
    }),
    { numRuns: 1_000 },
  );
});

test("the last count of cut ranges may be replaced by the largest one", () => {
  const all = Array.from({ length: limits.rangesMax }, (_, i) => [4_000_000_000 + i * 2, 1]).flat();
  const missing = [...rangesWithin(limits.smallDatagramMaxBytes, all)];
  missing[missing.length - 1] = 200_000_000;
  const device = "0123456789abcdef";
  const counter = limits.counterMax;
  const seek = { device, haveCount: counter, missing, lanPort: 65_535, term: counter, symbolMaxBytes: 8_904 };
  expect(frameBytesOf({ type: "seek", ...seek })).toBeLessThanOrEqual(limits.smallDatagramMaxBytes);
});

test.each([
  [0, 548, 32],
  [480, 548, 32],
  [1_304, 1_370, 96],
  [1_400, 1_466, 100],
  [8_904, 1_472, 100],
])("with symbols of %d bytes a NACK has at most %d bytes, and %d entries", (symbolBytes, frame, entries) => {
  expect(controlFrameMaxBytes(symbolBytes)).toBe(frame);
  expect(itemsWithin(frame, 13, limits.needsMax)).toBe(entries);
});
