/** Memory and libraries for calls of Windows by bun:ffi. */

/** Returns a function that loads once. It throws while the library cannot be loaded. */
export function once<T>(load: () => T): () => T {
  let loaded: T | undefined;
  return () => (loaded ??= load());
}

/** Allocates memory whose address does not change, also below 1,000 bytes (net/lan/libc.ts). */
export const fixedBytes = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(new ArrayBuffer(length));

/** Returns UTF-16 with a NUL at the end. */
export function wideText(text: string): Uint8Array {
  const encoded = Buffer.from(`${text}\0`, "utf16le");
  const bytes = fixedBytes(encoded.length);
  bytes.set(encoded);
  return bytes;
}
