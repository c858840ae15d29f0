/**
 * Reads the few msgpack values that bodies are made of, from bytes that anybody may have written.
 *
 * Not a general msgpack decoder: unsigned integers, strings and array headers only. It never throws, and never
 * allocates by a number it read before that number was held against a limit. After the first wrong value every
 * further read answers null.
 */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class BodyReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** An unsigned integer of any msgpack width, up to `max` (at most 2^53 - 1). */
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

  /** A string of at most `maxBytes` bytes of valid UTF-8. */
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

  /** The number of elements of an array that starts here, up to `max`. */
  arrayLength(max: number): number | null {
    const lead = this.#bytes[this.#offset++];
    if (lead === undefined) return this.#fail();
    let length: number | null = null;
    if (lead >= 0x90 && lead <= 0x9f) length = lead & 0x0f;
    else if (lead === 0xdc) length = this.#bigEndian(2);
    return length === null || length > max ? this.#fail() : length;
  }

  /** An array of at most `itemsMax` unsigned integers up to `max`. */
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
