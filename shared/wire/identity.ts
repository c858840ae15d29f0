/**
 * Encoding of the two 8-byte names in the header of a frame, session and sender, and of integers.
 *
 * Inside the program both names are 16 lower-case hex digits, which can be compared, logged and
 * used as keys of a Map. Only the codec handles their bytes.
 */

const hexDigits = /^[0-9a-f]{16}$/;

/**
 * Converts 16 hex digits to 8 bytes.
 *
 * @throws Error for any other text, which is a bug of the caller: people do not enter these names
 */
export function identityBytes(identity: string): Uint8Array {
  if (!hexDigits.test(identity)) throw new Error(`"${identity}" is not an identity: give 16 hex digits`);
  return Uint8Array.fromHex(identity);
}

/** Returns the 8 bytes at `offset` as 16 hex digits. */
export const identityAt = (bytes: Uint8Array, offset: number): string =>
  bytes.subarray(offset, offset + 8).toHex();

/** Returns the 4 bytes at `offset` as a big-endian integer. */
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
