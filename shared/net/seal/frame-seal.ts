/**
 * Seal of control frames: synthetic initialization vectors (SIV; Rogaway and Shrimpton, 2006), with
 * HMAC-SHA256 as the function and AES-128-CTR as the cipher. The tag is the counter block.
 *
 * The tag depends on all bytes of the frame. Two frames under one sequence, which a machine may
 * send that returned to a snapshot, therefore reveal only whether they are equal. AES-GCM would
 * reveal both texts combined, and the key of its tags.
 */
import { createCipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { tagBytes } from "../../wire/layout.ts";
import { cipherKeyBytes, type FrameSeal } from "../../wire/seal.ts";

/** @param key 48 bytes: of the cipher, and of the tag */
export function createFrameSeal(key: Uint8Array): FrameSeal {
  const cipherKey = Buffer.from(key.subarray(0, cipherKeyBytes));
  const tagKey = Buffer.from(key.subarray(cipherKeyBytes));
  const tagOf = (associated: Uint8Array, plaintext: Uint8Array): Buffer =>
    createHmac("sha256", tagKey).update(associated).update(plaintext).digest().subarray(0, tagBytes);
  const cipher = (tag: Uint8Array, bytes: Uint8Array): Buffer =>
    createCipheriv("aes-128-ctr", cipherKey, tag).update(bytes);
  return {
    sealInto(associated, plaintext, out) {
      const tag = tagOf(associated, plaintext);
      if (plaintext.length > 0) out.set(cipher(tag, plaintext));
      out.set(tag, plaintext.length);
    },
    open(associated, sealed) {
      if (sealed.length < tagBytes) return null;
      const end = sealed.length - tagBytes;
      const tag = sealed.subarray(end);
      const plaintext = end > 0 ? cipher(tag, sealed.subarray(0, end)) : new Uint8Array(0);
      return timingSafeEqual(tag, tagOf(associated, plaintext)) ? plaintext : null;
    },
  };
}
