/**
 * Table of the fields of every control frame: their order on the wire and the values they may have.
 *
 * Encoder and decoder both read this table, so the decoder refuses exactly what the encoder refuses
 * to write.
 */
import { limits } from "./limits.ts";
import { wholeChunks, type ControlType, type FrameOf } from "./frames.ts";

export type FieldKind =
  | { readonly shape: "uint"; readonly min: number; readonly max: number }
  | { readonly shape: "text"; readonly maxBytes: number; readonly isValid: (text: string) => boolean }
  | {
      readonly shape: "list";
      readonly itemsMax: number;
      readonly isValid: (items: readonly number[]) => boolean;
    };

const uint = (min: number, max: number): FieldKind => ({ shape: "uint", min, max });

/**
 * Returns whether every range begins at or after the end of the previous one and ends below 2^32.
 */
function areRangesValid(ranges: readonly number[]): boolean {
  if (ranges.length % 2 !== 0) return false;
  let end = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    const first = ranges[i]!;
    const count = ranges[i + 1]!;
    if (first < end || count < 1 || first + count > limits.counterMax + 1) return false;
    end = first + count;
  }
  return true;
}

/** Checks one entry: symbols of one block, or a run of whole chunks that ends below 2^32. */
function isNeedValid(chunk: number, block: number, count: number): boolean {
  if (block === wholeChunks) return count >= 1 && chunk + count <= limits.counterMax + 1;
  return block < limits.chunkBlocksMax && count >= 1 && count <= limits.blockSymbolsMax;
}

/**
 * Checks triples [chunk, block, count]: (chunk, block) ascends strictly, and a run of whole chunks
 * ends before the next entry.
 */
function areNeedsValid(entries: readonly number[]): boolean {
  if (entries.length % 3 !== 0) return false;
  let chunkMin = 0;
  let blockMin = 0;
  for (let i = 0; i < entries.length; i += 3) {
    const chunk = entries[i]!;
    const block = entries[i + 1]!;
    const count = entries[i + 2]!;
    if (!isNeedValid(chunk, block, count)) return false;
    if (chunk < chunkMin || (chunk === chunkMin && block < blockMin)) return false;
    // Overlapping runs would let a small frame cause much work.
    chunkMin = block === wholeChunks ? chunk + count : chunk;
    blockMin = block === wholeChunks ? 0 : block + 1;
  }
  return true;
}

export const deviceId = /^[0-9a-f]{16}$/;
/** A reason is printed on terminals, so it has no control characters and no escape sequences. */
const controlCharacter = /\p{Cc}/u;

const counter = uint(0, limits.counterMax);
const port = uint(0, limits.portMax);
const symbolSize = uint(limits.symbolMinBytes, limits.symbolMaxBytes);
const device: FieldKind = { shape: "text", maxBytes: 16, isValid: (text) => deviceId.test(text) };
const reason: FieldKind = {
  shape: "text",
  maxBytes: limits.reasonMaxBytes,
  isValid: (text) => !controlCharacter.test(text),
};
const ranges: FieldKind = { shape: "list", itemsMax: limits.rangesMax * 2, isValid: areRangesValid };
const needs: FieldKind = { shape: "list", itemsMax: limits.needsMax * 3, isValid: areNeedsValid };

type FieldsOf<T extends ControlType> = readonly (readonly [Exclude<keyof FrameOf<T>, "type">, FieldKind])[];

export const controlFields: { readonly [T in ControlType]: FieldsOf<T> } = {
  seek: [
    ["device", device],
    ["haveCount", counter],
    ["missing", ranges],
    ["lanPort", port],
    ["term", counter],
    ["symbolMaxBytes", symbolSize],
  ],
  claim: [
    ["device", device],
    ["term", counter],
    ["ticket", counter],
    ["lanPort", port],
    ["haveCount", counter],
  ],
  announce: [
    ["device", device],
    ["term", counter],
    ["ticket", counter],
    ["phase", uint(0, 2)],
    ["startsInMs", uint(0, limits.startsInMaxMs)],
    ["frontCount", counter],
    ["castCount", counter],
    ["pass", counter],
    ["audience", counter],
    ["symbolSizeBytes", symbolSize],
    ["rateBps", uint(0, limits.rateMaxBps)],
    ["lanPort", port],
  ],
  end: [
    ["device", device],
    ["term", counter],
    ["pass", counter],
    ["castRanges", ranges],
    ["symbolsSent", counter],
    ["sentAtMs", counter],
  ],
  need: [
    ["device", device],
    ["term", counter],
    ["pass", counter],
    ["entries", needs],
    ["lanPort", port],
    ["symbolSizeBytes", symbolSize],
  ],
  want: [
    ["device", device],
    ["ranges", ranges],
    ["lanPort", port],
  ],
  have: [
    ["device", device],
    ["ranges", ranges],
    ["load", uint(0, limits.loadMax)],
    ["lanPort", port],
    ["toDevice", device],
  ],
  ask: [
    ["device", device],
    ["term", counter],
    ["toDevice", device],
  ],
  resign: [
    ["device", device],
    ["term", counter],
    ["reason", reason],
  ],
  report: [
    ["device", device],
    ["term", counter],
    ["pass", counter],
    ["lossPermille", uint(0, 1_000)],
    ["queuedMs", uint(0, limits.queuedMaxMs)],
  ],
  entrust: [
    ["device", device],
    ["term", counter],
    ["toDevice", device],
    ["ranges", ranges],
  ],
};
