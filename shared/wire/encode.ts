/**
 * Encoder: frames to bytes. The header and the body of a symbol have fixed offsets; control bodies
 * follow the table in fields.ts.
 *
 * A frame that breaks a limit is a bug of this program: the encoder throws an Error that names the
 * field. The field `reason` is shortened instead, because its text often comes from elsewhere.
 */
import { Encoder } from "@msgpack/msgpack";
import { controlFields, type FieldKind } from "./fields.ts";
import { frameTypes, type ControlFrame, type FrameType } from "./frames.ts";
import { identityBytes, putUint16, putUint32 } from "./identity.ts";
import { frameVersion, headerAt, symbolAt, symbolHeadBytes } from "./layout.ts";
import { limits } from "./limits.ts";

const encoder = new Encoder({ initialBufferSize: limits.datagramMaxBytes });
const utf8 = new TextEncoder();

/**
 * Returns the body of a control frame before sealing: a msgpack array in the order of the table.
 *
 * @throws Error when a field or the body breaks a limit
 */
export function encodeControl(frame: ControlFrame): Uint8Array {
  const values = frame as unknown as Readonly<Record<string, unknown>>;
  const body = encoder.encode(
    controlFields[frame.type].map(([name, kind]) => fieldValue(frame.type, name, kind, values[name])),
  );
  if (body.length > limits.bodyMaxBytes)
    throw new Error(`${frame.type} of ${body.length} bytes is above the limit of ${limits.bodyMaxBytes}`);
  return body;
}

function fieldValue(type: string, name: string, kind: FieldKind, value: unknown): unknown {
  if (name === "reason" && typeof value === "string") return fittedReason(value);
  if (!isFieldValid(kind, value))
    throw new Error(
      `${type}.${name} cannot be ${JSON.stringify(value)}: see the field's limits in fields.ts`,
    );
  return value;
}

function isFieldValid(kind: FieldKind, value: unknown): boolean {
  if (kind.shape === "uint") return isUint(value, kind.max) && value >= kind.min;
  if (kind.shape === "text")
    return typeof value === "string" && utf8.encode(value).length <= kind.maxBytes && kind.isValid(value);
  return (
    Array.isArray(value) &&
    value.length <= kind.itemsMax &&
    value.every((item) => isUint(item, limits.counterMax)) &&
    kind.isValid(value)
  );
}

const isUint = (value: unknown, max: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;

/**
 * Returns `text` without control characters, cut between characters to at most `reasonMaxBytes`.
 */
export function fittedReason(text: string): string {
  const clean = text.toWellFormed().replaceAll(/\p{Cc}+/gu, " ");
  const fitted = new Uint8Array(limits.reasonMaxBytes);
  return clean.slice(0, utf8.encodeInto(clean, fitted).read);
}

/**
 * Writes the parts of the header that are constant for one sender in one session. The frame writer
 * keeps this header; `writeHeaderOf` fills in type, sequence and body length of each frame.
 */
export function writeHeader(
  bytes: Uint8Array,
  header: { readonly deployment: number; readonly session: string; readonly sender: string },
): void {
  bytes[0] = 0x97;
  bytes[headerAt.version] = frameVersion;
  bytes[headerAt.deployment - 1] = 0xce;
  putUint32(bytes, headerAt.deployment, header.deployment);
  bytes.set([0xc4, 8], headerAt.session - 2);
  bytes.set(identityBytes(header.session), headerAt.session);
  bytes.set([0xc4, 8], headerAt.sender - 2);
  bytes.set(identityBytes(header.sender), headerAt.sender);
  bytes[headerAt.sequence - 1] = 0xce;
  bytes[headerAt.bodyLength - 1] = 0xc5;
}

export function writeHeaderOf(
  bytes: Uint8Array,
  type: FrameType,
  sequence: number,
  sealedBytes: number,
): void {
  bytes[headerAt.type] = frameTypes[type];
  putUint32(bytes, headerAt.sequence, sequence);
  putUint16(bytes, headerAt.bodyLength, sealedBytes);
}

/**
 * Writes the body of a symbol into `bytes` from `at` on and returns its length.
 *
 * @throws Error when a number or the payload breaks a limit
 */
export function writeSymbol(
  bytes: Uint8Array,
  at: number,
  chunk: number,
  block: number,
  symbol: number,
  payload: Uint8Array,
): number {
  if (payload.length < 1 || payload.length > limits.symbolMaxBytes)
    throw new Error(`A symbol of ${payload.length} bytes: give 1 to ${limits.symbolMaxBytes}`);
  if (
    !isUint(chunk, limits.counterMax) ||
    !isUint(block, limits.chunkBlocksMax - 1) ||
    !isUint(symbol, limits.codedSymbolsMax - 1)
  )
    throw new Error(`No such symbol: chunk ${chunk}, block ${block}, symbol ${symbol}`);
  bytes[at] = 0x94;
  bytes[at + symbolAt.chunk - 1] = 0xce;
  putUint32(bytes, at + symbolAt.chunk, chunk);
  bytes[at + symbolAt.block - 1] = 0xcd;
  putUint16(bytes, at + symbolAt.block, block);
  bytes[at + symbolAt.symbol - 1] = 0xcc;
  bytes[at + symbolAt.symbol] = symbol;
  bytes[at + symbolAt.payloadLength - 1] = 0xc5;
  putUint16(bytes, at + symbolAt.payloadLength, payload.length);
  bytes.set(payload, at + symbolHeadBytes);
  return symbolHeadBytes + payload.length;
}
