/**
 * Headers of a tar archive (POSIX.1-1988, "ustar") with regular files only, so that any `tar`
 * unpacks a backup. Sizes above 8 GiB are in base 256, as GNU tar writes them.
 */

export const blockBytes = 512;
/** Largest size that fits the octal field. */
const octalMax = 0o77777777777;

export type TarEntry = { readonly name: string; readonly sizeBytes: number };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns the number of zero bytes after the bytes of an entry. */
export const paddingBytes = (sizeBytes: number): number =>
  (blockBytes - (sizeBytes % blockBytes)) % blockBytes;

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;

/**
 * Returns the header block of a file with mode 0600.
 * @param entry with a name of at most 100 ASCII characters
 */
export function tarHeader({ name, sizeBytes }: TarEntry, changedAtMs: number): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const put = (at: number, text: string): void => block.set(encoder.encode(text), at);
  put(0, name);
  put(100, octal(0o600, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  if (sizeBytes <= octalMax) put(124, octal(sizeBytes, 11));
  else {
    block[124] = 0x80;
    new DataView(block.buffer).setBigUint64(128, BigInt(sizeBytes));
  }
  put(136, octal(Math.floor(changedAtMs / 1_000), 11));
  put(156, "0");
  put(257, "ustar\u000000");
  put(148, `${octal(checksum(block), 6)} `);
  return block;
}

/** Returns the entry of a header block; null for another block, or a damaged one. */
export function readTarHeader(block: Uint8Array): TarEntry | null {
  const text = (at: number, length: number): string =>
    decoder.decode(block.subarray(at, at + length)).split("\0")[0]!;
  const stated = text(148, 8).trim();
  if (!/^[0-7]+$/.test(stated) || Number.parseInt(stated, 8) !== checksum(block)) return null;
  if (text(257, 5) !== "ustar" || text(156, 1) !== "0") return null;
  if (block[124] === 0x80) {
    const size = new DataView(block.buffer, block.byteOffset).getBigUint64(128);
    return size > BigInt(Number.MAX_SAFE_INTEGER) ? null : { name: text(0, 100), sizeBytes: Number(size) };
  }
  const digits = text(124, 12).trim();
  return /^[0-7]+$/.test(digits) ? { name: text(0, 100), sizeBytes: Number.parseInt(digits, 8) } : null;
}

/** Sum of the header's bytes, with blanks in the place of the sum. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  return sum;
}
