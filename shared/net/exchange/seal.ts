/**
 * Seals the LAN exchange: a device without the package's key can neither read a chunk nor make a
 * new request. A recorded request stays valid, because a proof has no nonce and no time.
 *
 * AES-128-GCM with one key per package and a random nonce per message. The path is associated data,
 * so an answer is not valid for another request path.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { nodeCrypto } from "../seal/aead.ts";

const nonceBytes = 12;
const info = (what: string): Uint8Array => new TextEncoder().encode(`flockcast exchange 1 ${what}`);
const noSalt = new Uint8Array(0);
const associated = (context: string): Uint8Array => new TextEncoder().encode(context);

export type ExchangeSeal = {
  /** Returns nonce ‖ ciphertext ‖ tag. */
  seal(context: string, plaintext: Uint8Array): Uint8Array;
  /** Returns null if the bytes were not sealed with this key for this context. */
  open(context: string, sealed: Uint8Array): Uint8Array | null;
  /** Returns an HMAC-SHA256 in hex: the requester holds the key, or recorded such a request. */
  proof(context: string): string;
  isProof(context: string, proof: string): boolean;
};

/** @param packageKey 16 bytes */
export function createExchangeSeal(packageKey: Uint8Array): ExchangeSeal {
  const aead = nodeCrypto.aead(nodeCrypto.hkdf(packageKey, noSalt, info("seal"), 16));
  const proofKey = nodeCrypto.hkdf(packageKey, noSalt, info("proof"), 32);
  const proofOf = (context: string): Buffer => createHmac("sha256", proofKey).update(context).digest();
  return {
    seal(context, plaintext) {
      const nonce = randomBytes(nonceBytes);
      return Buffer.concat([nonce, aead.seal(nonce, associated(context), plaintext)]);
    },
    open(context, sealed) {
      if (sealed.length < nonceBytes) return null;
      return aead.open(sealed.subarray(0, nonceBytes), associated(context), sealed.subarray(nonceBytes));
    },
    proof: (context) => proofOf(context).toString("hex"),
    isProof(context, proof) {
      const given = Buffer.from(proof, "hex");
      const right = proofOf(context);
      return given.length === right.length && timingSafeEqual(given, right);
    },
  };
}
