/**
 * Values that the source gives a browser to keep, sealed with AES-256-GCM under a key of this run:
 * nobody else can read or change them. A restart of the source makes them worthless.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";

const [keyBytes, nonceBytes, tagBytes] = [32, 12, 16];

export class Sealer {
  readonly #key: Uint8Array;
  readonly #randomBytes: (count: number) => Uint8Array;

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#key = randomBytes(keyBytes);
    this.#randomBytes = randomBytes;
  }

  seal(value: unknown): string {
    const nonce = this.#randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    const body = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url");
  }

  /** Returns null for a text that was not sealed by this object. */
  open(sealed: string): unknown {
    const bytes = Buffer.from(sealed, "base64url");
    if (bytes.length < nonceBytes + tagBytes) return null;
    const [nonce, tag] = [bytes.subarray(0, nonceBytes), bytes.subarray(nonceBytes, nonceBytes + tagBytes)];
    const decipher = createDecipheriv("aes-256-gcm", this.#key, nonce, { authTagLength: tagBytes });
    decipher.setAuthTag(tag);
    try {
      const body = decipher.update(bytes.subarray(nonceBytes + tagBytes));
      return JSON.parse(Buffer.concat([body, decipher.final()]).toString("utf8")) as unknown;
    } catch {
      return null;
    }
  }
}
