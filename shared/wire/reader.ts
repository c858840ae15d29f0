/**
 * Reader of the msgpack values in bodies, from untrusted bytes.
 *
 * Not a general msgpack decoder: it reads unsigned integers, strings and array headers, and skips
 * everything else. It never throws, and allocates nothing by a number that was not checked against
 * a limit. After the first invalid value every read returns null.
 */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Bytes after the lead byte of a fixed-width value, from lead 0xc0 on; -1: a length follows the
 * lead.
 */
const fixedWidths = [
  0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, -1, -1, -1, -1, -1, -1,
  -1,
] as const;
/**
 * Width of the length of binary data, extensions, strings, arrays and maps, from lead 0xc0 on; 0:
 * no length.
 */
const lengthWidths = [
  0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
] as const;

export class BodyReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** Reads an unsigned integer of any msgpack width, up to `max` (at most 2^53 - 1). */
  uint(max: number): number | null {
    const lead = this.#bytes[this.#offset++];
    if (lead === undefined) return this.#fail();
    let value: number | null = lead;
    if (lead === 0xcc) value = this.#bigEndian(1);
    else if (lead === 0xcd) value = this.#bigEndian(2);
    else if (lead === 0xce) value = this.#bigEndian(4);
    else if (lead === 0xcf) value = this.#bigEndian(8);
    else if (lead > 0x7f) return this.#fail();
    return value === null || value > max ? this.#fail() : value;
  }

  /** Reads a string of at most `maxBytes` bytes of valid UTF-8. */
  text(maxBytes: number): string | null {
    const lead = this.#bytes[this.#offset++];
    if (lead === undefined) return this.#fail();
    let length: number | null = null;
    if (lead >= 0xa0 && lead <= 0xbf) length = lead & 0x1f;
    else if (lead === 0xd9) length = this.#bigEndian(1);
    else if (lead === 0xda) length = this.#bigEndian(2);
    if (length === null || length > maxBytes || length > this.#bytes.length - this.#offset)
      return this.#fail();
    const start = this.#offset;
    this.#offset += length;
    try {
      return utf8.decode(this.#bytes.subarray(start, this.#offset));
    } catch {
      return this.#fail();
    }
  }

  /** Reads the head of an array of at most `max` elements and returns their number. */
  arrayLength(max: number): number | null {
    const lead = this.#bytes[this.#offset++];
    if (lead === undefined) return this.#fail();
    let length: number | null = null;
    if (lead >= 0x90 && lead <= 0x9f) length = lead & 0x0f;
    else if (lead === 0xdc) length = this.#bigEndian(2);
    return length === null || length > max ? this.#fail() : length;
  }

  /** Reads an array of at most `itemsMax` unsigned integers up to `max`. */
  list(itemsMax: number, max: number): number[] | null {
    const length = this.arrayLength(itemsMax);
    if (length === null) return null;
    const items: number[] = [];
    for (let i = 0; i < length; i++) {
      const item = this.uint(max);
      if (item === null) return null;
      items.push(item);
    }
    return items;
  }

  /**
   * Skips `count` values of any msgpack type and nesting. Returns false when they are invalid or
   * incomplete.
   */
  skip(count: number): boolean {
    for (let pending = count; pending > 0; pending--) {
      const inside = this.#skipOne();
      if (inside === null) return false;
      pending += inside;
    }
    return true;
  }

  /** Skips a value, or the head of an array or map. Returns the number of values inside. */
  #skipOne(): number | null {
    const lead = this.#bytes[this.#offset++];
    if (lead === undefined || lead === 0xc1) return this.#fail();
    if (lead <= 0x7f || lead >= 0xe0) return 0;
    if (lead <= 0x8f) return (lead & 0x0f) * 2;
    if (lead <= 0x9f) return lead & 0x0f;
    if (lead <= 0xbf) return this.#pass(lead & 0x1f);
    const fixedBytes = fixedWidths[lead - 0xc0]!;
    if (fixedBytes >= 0) return this.#pass(fixedBytes);
    const width = lengthWidths[lead - 0xc0]!;
    const length = width === 0 ? null : this.#bigEndian(width);
    if (length === null) return this.#fail();
    if (lead >= 0xde) return length * 2;
    if (lead >= 0xdc) return length;
    // An extension has one more byte, its type.
    return this.#pass(lead >= 0xc7 && lead <= 0xc9 ? length + 1 : length);
  }

  #pass(bytes: number): 0 | null {
    if (bytes > this.#bytes.length - this.#offset) return this.#fail();
    this.#offset += bytes;
    return 0;
  }

  #bigEndian(width: 1 | 2 | 4 | 8): number | null {
    if (width > this.#bytes.length - this.#offset) return this.#fail();
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.#bytes[this.#offset++]!;
    return value;
  }

  #fail(): null {
    this.#offset = Number.POSITIVE_INFINITY;
    return null;
  }
}
