/**
 * Offsets of the fixed-width parts of a frame. A symbol is written and read without a msgpack
 * decoder.
 *
 * Header, followed by the sealed body:
 *
 * 97 | version | type | ce deployment | c4 08 session | c4 08 sender | ce sequence | c5 length
 * 0    1         2      3               8               18             28            33
 *
 * Body of a symbol, followed by the tag:
 *
 * 94 | ce chunk | cd block | cc symbol | c5 length, payload
 * 0    1          6          9           11
 */

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
/** Associated data of the seal: all bytes before the msgpack header of the body. */
export const associatedBytes = 33;
export const tagBytes = 16;
export const nonceBytes = 12;

export const symbolAt = { chunk: 2, block: 7, symbol: 10, payloadLength: 12 };
export const symbolHeadBytes = 14;
/** Offset of the payload in the frame of a symbol. */
export const payloadAt = headerBytes + symbolHeadBytes;
/** Overhead of a datagram next to the payload of its symbol: 66 bytes. */
export const symbolOverheadBytes = headerBytes + symbolHeadBytes + tagBytes;
