/**
 * How a body is sealed: which key, which nonce, which associated data. The ciphers themselves are handed in
 * (shared/net/aead.ts has the real ones), so that this folder stays free of I/O and randomness.
 */
import { identityBytes, putUint32 } from "./identity.ts";
import { nonceBytes } from "./layout.ts";

/** AES-128-GCM under one key. `sealed` is the ciphertext and then its 16-byte tag. */
export interface Aead {
  seal(nonce: Uint8Array, associated: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** The same into `out`, 16 bytes longer than the plaintext: a frame is made without copying its body once more. */
  sealInto(nonce: Uint8Array, associated: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void;
  /** The plaintext, in bytes of its own, or null when anything was changed. Never throws. */
  open(nonce: Uint8Array, associated: Uint8Array, sealed: Uint8Array): Uint8Array | null;
}
export interface Crypto {
  aead(key16: Uint8Array): Aead;
  /** HKDF with SHA-256 (RFC 5869). */
  hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, lengthBytes: number): Uint8Array;
}

const text = new TextEncoder();
const sessionInfo = text.encode("flockcast session 1");
const frameInfo = text.encode("flockcast frame 1");
const contextKeyBytes = 16;

/** The session of a context (a task on its subnet, or a package): only who holds its key can name it. */
export const sessionOf = (crypto: Crypto, key: Uint8Array): string =>
  crypto.hkdf(checkedKey(key), new Uint8Array(0), sessionInfo, 8).toHex();

/** The key of everything that one sender says in one session: 16 bytes. */
export function frameKeyOf(crypto: Crypto, key: Uint8Array, session: string, sender: string): Uint8Array {
  const info = new Uint8Array(frameInfo.length + 8);
  info.set(frameInfo);
  info.set(identityBytes(session), frameInfo.length);
  return crypto.hkdf(checkedKey(key), identityBytes(sender), info, 16);
}

export const frameAead = (crypto: Crypto, key: Uint8Array, session: string, sender: string): Aead =>
  crypto.aead(frameKeyOf(crypto, key, session, sender));

/** Writes the nonce of a sequence, 8 zero bytes and the sequence, into `nonce` (12 bytes). */
export const writeNonce = (nonce: Uint8Array, sequence: number): void =>
  putUint32(nonce, nonceBytes - 4, sequence);

function checkedKey(key: Uint8Array): Uint8Array {
  if (key.length !== contextKeyBytes) throw new Error(`A context key of ${key.length} bytes: give 16`);
  return key;
}
