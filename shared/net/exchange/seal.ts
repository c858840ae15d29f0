/**
 * How the LAN exchange seals what it carries: whoever was never given the package's key can neither read a chunk nor
 * ask for one. One key per package, a random nonce per message, and the path as associated data, so that an answer
 * cannot be passed off as another.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { nodeCrypto } from "../seal/aead.ts";

const nonceBytes = 12;
const info = (what: string): Uint8Array => new TextEncoder().encode(`flockcast exchange 1 ${what}`);
const noSalt = new Uint8Array(0);
const associated = (context: string): Uint8Array => new TextEncoder().encode(context);

export type ExchangeSeal = {
  /** nonce ‖ ciphertext ‖ tag */
  seal(context: string, plaintext: Uint8Array): Uint8Array;
  /** Null when it was not sealed with this key in this context. */
  open(context: string, sealed: Uint8Array): Uint8Array | null;
  /** Shows that the asker holds the key: hex. */
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
