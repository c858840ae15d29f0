/**
 * The ciphers for sealed frames and the LAN exchange: AES-128-GCM, AES-128-CTR and HKDF-SHA256 of
 * node:crypto, the seal of control frames of frame-seal.ts, and the frame tags of frame-tag.ts.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { freeBuffer } from "../../model/free-buffer.ts";
import { createFrameSeal } from "./frame-seal.ts";
import { createFrameTag } from "./frame-tag.ts";
import { tagBytes } from "../../wire/layout.ts";
import type { Crypto } from "../../wire/seal.ts";

const algorithm = "aes-128-gcm";

/**
 * AES-128-GCM (NIST SP 800-38D) under one key. `sealed` is the ciphertext followed by its 16-byte
 * tag.
 */
export interface Aead {
  seal(nonce: Uint8Array, associated: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** Seals into `out`, which is 16 bytes longer than the plaintext. Saves a copy of the body. */
  sealInto(nonce: Uint8Array, associated: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void;
  /**
   * Returns the plaintext in memory of its own, or null when authentication fails. Never throws.
   */
  open(nonce: Uint8Array, associated: Uint8Array, sealed: Uint8Array): Uint8Array | null;
}

export function createAead(key: Uint8Array): Aead {
  const ownKey = Buffer.from(key);
  const sealInto: Aead["sealInto"] = (nonce, associated, plaintext, out) => {
    const cipher = createCipheriv(algorithm, ownKey, nonce);
    cipher.setAAD(associated);
    out.set(cipher.update(plaintext));
    cipher.final();
    out.set(cipher.getAuthTag(), plaintext.length);
  };
  return {
    sealInto,
    seal(nonce, associated, plaintext) {
      const sealed = new Uint8Array(plaintext.length + tagBytes);
      sealInto(nonce, associated, plaintext, sealed);
      return sealed;
    },
    open(nonce, associated, sealed) {
      if (sealed.length < tagBytes) return null;
      const end = sealed.length - tagBytes;
      const decipher = createDecipheriv(algorithm, ownKey, nonce);
      decipher.setAAD(associated);
      decipher.setAuthTag(sealed.subarray(end));
      const plaintext = decipher.update(sealed.subarray(0, end));
      try {
        decipher.final();
        return plaintext;
      } catch {
        return null;
      }
    },
  };
}

/**
 * Bytes per cipher call. The output of each call is copied and freed before the next call. It
 * therefore stays in the processor's cache, and a chunk is never in memory twice.
 */
const ctrPartBytes = 65_536;

/** Encrypts or decrypts `bytes` in place. */
function ctr(key: Uint8Array, counter: Uint8Array, bytes: Uint8Array): void {
  const cipher = createCipheriv("aes-128-ctr", key, counter);
  for (let at = 0; at < bytes.length; at += ctrPartBytes) {
    const part = cipher.update(bytes.subarray(at, at + ctrPartBytes));
    bytes.set(part, at);
    freeBuffer(part);
  }
}

export const nodeCrypto: Crypto = {
  frameSeal: createFrameSeal,
  frameTag: createFrameTag,
  ctr,
  hkdf: (ikm, salt, info, lengthBytes) => new Uint8Array(hkdfSync("sha256", ikm, salt, info, lengthBytes)),
};
