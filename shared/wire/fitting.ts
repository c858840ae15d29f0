/**
 * Sizes of frames at a link's MTU: how long symbols may be, and how much of a list a control frame
 * may contain. Devices whose links differ receive each other only if every frame fits all of them.
 */
import type { Ranges } from "./frames.ts";
import { headerBytes, symbolOverheadBytes, tagBytes } from "./layout.ts";
import { limits } from "./limits.ts";

/**
 * Returns the payload of a symbol whose frame fits a datagram: a multiple of 8, from
 * `symbolSmallBytes` to `symbolMaxBytes`.
 */
export function symbolBytesIn(datagramBytes: number): number {
  const fitting = Math.floor((datagramBytes - symbolOverheadBytes) / 8) * 8;
  return Math.max(limits.symbolSmallBytes, Math.min(limits.symbolMaxBytes, fitting));
}

/**
 * Upper bound on a control frame in a session whose symbols have this size. Every receiver takes a
 * full symbol.
 * @param symbolSizeBytes 0: no size was agreed on
 */
export const controlFrameMaxBytes = (symbolSizeBytes: number): number =>
  Math.max(
    limits.smallDatagramMaxBytes,
    Math.min(symbolSizeBytes + symbolOverheadBytes, limits.bodyMaxBytes + headerBytes + tagBytes),
  );

/** Fields of a body next to its list: two device ids, and six numbers of at most 5 bytes. */
const otherFieldsBytesMax = 2 * 17 + 6 * 5 + 4;
const bytesForList = (frameBytes: number): number =>
  frameBytes - headerBytes - tagBytes - otherFieldsBytesMax;

/** Number of items of a list that fit a control frame, whatever the numbers in them. */
export const itemsWithin = (frameBytes: number, itemBytesMax: number, itemsMax: number): number =>
  Math.min(itemsMax, Math.floor(bytesForList(frameBytes) / itemBytesMax));

/** Length of an unsigned integer in msgpack's shortest encoding. */
const uintBytes = (value: number): number =>
  value < 0x80 ? 1 : value < 0x100 ? 2 : value < 0x1_0000 ? 3 : 5;

/** Returns the first ranges, at most `rangesMax`, that fit a control frame. */
export function rangesWithin(frameBytes: number, ranges: Ranges): Ranges {
  let leftBytes = bytesForList(frameBytes);
  let end = 0;
  for (; end < ranges.length && end < 2 * limits.rangesMax; end += 2) {
    // The last count may be replaced by a longer one.
    leftBytes -= uintBytes(ranges[end]!) + uintBytes(ranges[end + 1]!);
    if (leftBytes < 5) break;
  }
  return ranges.slice(0, end);
}
