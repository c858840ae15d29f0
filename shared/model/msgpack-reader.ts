/**
 * Reader of the msgpack types that a manifest uses, one expected value at a time.
 *
 * Not a general decoder: it allocates nothing by a number it has not checked, and nests no deeper
 * than its caller asks. Refuses every form but the shortest, and bytes after the end, so that equal
 * values have one encoding. Every fault is a ManifestError.
 */
import { ManifestError } from "./manifest-error.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Reads the head of an array and returns its number of items, from `min` to `max`. */
  array(min: number, max: number): number {
    const tag = this.#unsigned(1);
    const count =
      (tag & 0xf0) === 0x90
        ? tag & 0x0f
        : tag === 0xdc
          ? this.#unsigned(2)
          : tag === 0xdd
            ? this.#unsigned(4)
            : -1;
    if (count < 0) throw this.#unexpected("an array");
    this.#requireShortest(tag < 0xdc || count >= (tag === 0xdc ? 0x10 : 0x1_0000));
    if (count < min || count > max) {
      throw new ManifestError(
        `The manifest has an array of ${count} items where ${min} to ${max} are allowed`,
      );
    }
    return count;
  }

  /** Reads an integer from 0 to 2^53 - 1. */
  integer(): number {
    const tag = this.#unsigned(1);
    if (tag < 0x80) return tag;
    if (tag < 0xcc || tag > 0xcf) throw this.#unexpected("a whole number");
    const value = this.#unsigned(1 << (tag - 0xcc));
    this.#requireShortest(value >= [0x80, 0x100, 0x1_0000, 0x1_0000_0000][tag - 0xcc]!);
    if (!Number.isSafeInteger(value)) throw new ManifestError("The manifest has a number of 2^53 or more");
    return value;
  }

  /** Reads a string of valid UTF-8. */
  text(): string {
    const tag = this.#unsigned(1);
    const length =
      (tag & 0xe0) === 0xa0
        ? tag & 0x1f
        : tag >= 0xd9 && tag <= 0xdb
          ? this.#unsigned(1 << (tag - 0xd9))
          : -1;
    if (length < 0) throw this.#unexpected("a text");
    this.#requireShortest(tag < 0xd9 || length >= [0x20, 0x100, 0x1_0000][tag - 0xd9]!);
    try {
      return utf8.decode(this.#take(length));
    } catch (error) {
      if (error instanceof ManifestError) throw error;
      throw new ManifestError("The manifest has a text that is not UTF-8");
    }
  }

  /** Reads binary data and returns a copy, so that the encoded manifest can be freed. */
  binary(): Uint8Array {
    const tag = this.#unsigned(1);
    if (tag < 0xc4 || tag > 0xc6) throw this.#unexpected("binary data");
    const length = this.#unsigned(1 << (tag - 0xc4));
    this.#requireShortest(length >= [0, 0x100, 0x1_0000][tag - 0xc4]!);
    return this.#take(length).slice();
  }

  /** Checks that all bytes were read. */
  end(): void {
    this.#requireShortest(this.#at === this.#bytes.length);
  }

  #requireShortest(isShortest: boolean): void {
    if (!isShortest) throw new ManifestError("The manifest is not in canonical form");
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) {
      throw new ManifestError(`The manifest ends early: ${length} bytes missing at ${this.#at}`);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #unsigned(width: number): number {
    this.#take(width);
    const at = this.#at - width;
    if (width === 1) return this.#view.getUint8(at);
    if (width === 2) return this.#view.getUint16(at);
    if (width === 4) return this.#view.getUint32(at);
    return Number(this.#view.getBigUint64(at));
  }

  #unexpected(expected: string): ManifestError {
    return new ManifestError(`The manifest has no ${expected.replace(/^an? /, "")} at byte ${this.#at - 1}`);
  }
}
