/**
 * Where the fixed-width parts of a frame lie, so that a symbol is written and read without a msgpack decoder.
 *
 * 97 | version | type | ce deployment | c4 08 session | c4 08 sender | ce sequence | c5 length, sealed body
 * 0    1         2      3               8               18             28            33
 *
 * The body of a symbol, and behind it the tag: 94 | ce chunk | cd block | cc symbol | c5 length, payload
 *                                              0    1          6          9           11
 */
import { limits } from "./limits.ts";

export const frameVersion = 1;

export const headerAt = {
  version: 1,
  type: 2,
  deployment: 4,
  session: 10,
  sender: 20,
  sequence: 29,
  bodyLength: 34,
};
export const headerBytes = 36;
/** All before the body is the associated data of the seal. */
export const associatedBytes = 33;
export const tagBytes = 16;
export const nonceBytes = 12;

export const symbolAt = { chunk: 2, block: 7, symbol: 10, payloadLength: 12 };
export const symbolHeadBytes = 14;
/** Where the payload of a symbol's frame lies. */
export const payloadAt = headerBytes + symbolHeadBytes;
/** What a datagram carries beside a symbol's payload: 66 bytes. */
export const symbolOverheadBytes = headerBytes + symbolHeadBytes + tagBytes;
export const symbolFrameMaxBytes = symbolOverheadBytes + limits.symbolMaxBytes;
