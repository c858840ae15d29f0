/**
 * Decoder: bytes to frames. Total: every datagram gives a frame or a drop reason, never an
 * exception.
 *
 * `headerFault` reads fixed offsets only, so invalid datagrams cost next to nothing. Control bodies
 * are decoded after their seal was opened.
 */
import { controlFields, type FieldKind } from "./fields.ts";
import {
  frameTypes,
  type ControlFrame,
  type ControlType,
  type DropReason,
  type FrameType,
} from "./frames.ts";
import { uint16At } from "./identity.ts";
import { frameVersion, headerAt, headerBytes, symbolAt, symbolOverheadBytes, tagBytes } from "./layout.ts";
import { limits } from "./limits.ts";
import { BodyReader } from "./reader.ts";

/**
 * Returns the fault in the fixed parts of a datagram, or null. Type, deployment, session and sender
 * are not checked here.
 */
export function headerFault(datagram: Uint8Array): DropReason | null {
  // The smallest body is an empty array of one byte.
  if (datagram.length < headerBytes + 1 + tagBytes) return "short";
  if (datagram.length > limits.datagramMaxBytes) return "oversized";
  if (datagram[0] === 0x97 && datagram[headerAt.version] !== frameVersion) return "version";
  if (
    datagram[0] !== 0x97 ||
    datagram[headerAt.deployment - 1] !== 0xce ||
    datagram[headerAt.session - 2] !== 0xc4 ||
    datagram[headerAt.session - 1] !== 8 ||
    datagram[headerAt.sender - 2] !== 0xc4 ||
    datagram[headerAt.sender - 1] !== 8 ||
    datagram[headerAt.sequence - 1] !== 0xce ||
    datagram[headerAt.bodyLength - 1] !== 0xc5 ||
    uint16At(datagram, headerAt.bodyLength) !== datagram.length - headerBytes
  )
    return "header";
  return null;
}

const typesByNumber: readonly (FrameType | undefined)[] = (() => {
  const types: (FrameType | undefined)[] = Array.from({ length: 256 });
  for (const type of Object.keys(frameTypes) as FrameType[]) types[frameTypes[type]] = type;
  return types;
})();

/**
 * Returns the frame type of a datagram without `headerFault`; undefined for a number that this
 * version does not know.
 */
export const frameTypeOf = (datagram: Uint8Array): FrameType | undefined =>
  typesByNumber[datagram[headerAt.type]!];

/**
 * Decodes the opened body of a control frame, or returns null when it is not a body of `type`. Up
 * to `extraFieldsMax` elements after the known fields are skipped: a later version added them.
 */
export function decodeControl(type: ControlType, body: Uint8Array): ControlFrame | null {
  const fields = controlFields[type];
  const reader = new BodyReader(body);
  const elements = reader.arrayLength(fields.length + limits.extraFieldsMax);
  if (elements === null || elements < fields.length) return null;
  const frame: Record<string, unknown> = { type };
  for (const [name, kind] of fields) {
    const value = readField(reader, kind);
    if (value === null) return null;
    frame[name] = value;
  }
  // The table has exactly the fields of the type, and each was checked against its limits.
  return reader.skip(elements - fields.length) && reader.isAtEnd ? (frame as ControlFrame) : null;
}

function readField(reader: BodyReader, kind: FieldKind): number | string | number[] | null {
  if (kind.shape === "uint") {
    const value = reader.uint(kind.max);
    return value !== null && value >= kind.min ? value : null;
  }
  if (kind.shape === "text") {
    const value = reader.text(kind.maxBytes);
    return value !== null && kind.isValid(value) ? value : null;
  }
  const value = reader.list(kind.itemsMax, limits.counterMax);
  return value !== null && kind.isValid(value) ? value : null;
}

/**
 * Returns whether the body of a frame without `headerFault` is exactly one symbol in its fixed
 * encoding, followed by the tag. The offsets of its parts are `symbolAt`, counted from the end of
 * the header.
 */
export function isSymbolFrame(datagram: Uint8Array): boolean {
  const payloadBytes = datagram.length - symbolOverheadBytes;
  return (
    payloadBytes > 0 &&
    payloadBytes <= limits.symbolMaxBytes &&
    datagram[headerBytes] === 0x94 &&
    datagram[headerBytes + symbolAt.chunk - 1] === 0xce &&
    datagram[headerBytes + symbolAt.block - 1] === 0xcd &&
    datagram[headerBytes + symbolAt.symbol - 1] === 0xcc &&
    datagram[headerBytes + symbolAt.payloadLength - 1] === 0xc5 &&
    uint16At(datagram, headerBytes + symbolAt.payloadLength) === payloadBytes
  );
}
