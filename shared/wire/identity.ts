/**
 * The two 8-byte names of a frame's header, session and sender. Inside the program both are 16 lower-case hex digits,
 * so that they can be compared, kept in a Map and logged; only the codec sees their bytes.
 */

const hexDigits = /^[0-9a-f]{16}$/;

/** 16 hex digits to 8 bytes. Anything else is a bug of the caller: these names never come from a person. */
export function identityBytes(identity: string): Uint8Array {
  if (!hexDigits.test(identity)) throw new Error(`"${identity}" is not an identity: give 16 hex digits`);
  return Uint8Array.fromHex(identity);
}

/** The 8 bytes at `offset` as 16 hex digits. */
export const identityAt = (bytes: Uint8Array, offset: number): string =>
  bytes.subarray(offset, offset + 8).toHex();

/** The 4 bytes at `offset`, big-endian. */
export const uint32At = (bytes: Uint8Array, offset: number): number =>
  ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>>
  0;

export function putUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

export const uint16At = (bytes: Uint8Array, offset: number): number =>
  (bytes[offset]! << 8) | bytes[offset + 1]!;

export function putUint16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}
