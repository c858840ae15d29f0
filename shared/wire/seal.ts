/**
 * Sealing of frames: keys, nonces and associated data. The caller hands in the ciphers
 * (net/seal/aead.ts has the real ones), so this folder stays free of I/O and randomness.
 *
 * Every control frame is sealed on its own. A symbol is a piece of an encrypted chunk, and its
 * frame has a tag. Each of the 714,000 datagrams of a gigabyte then costs one tag and no
 * allocation.
 */
import type { DatagramBatch } from "./datagram-batch.ts";
import { identityBytes, putUint32 } from "./identity.ts";
import { nonceBytes } from "./layout.ts";

/**
 * Seal of the bodies of control frames under one key. `associated` is the frame before the body,
 * with sender and sequence. `sealed` is the ciphertext followed by its 16-byte tag.
 */
export interface FrameSeal {
  /** Seals into `out`, which is 16 bytes longer than the plaintext. Saves a copy of the body. */
  sealInto(associated: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void;
  /**
   * Returns the plaintext in memory of its own, or null when authentication fails. Never throws.
   */
  open(associated: Uint8Array, sealed: Uint8Array): Uint8Array | null;
}
/**
 * Authentication tag of whole frames under one key: the last 16 bytes authenticate all bytes
 * before.
 */
export interface FrameTag {
  /** Writes the last 16 bytes of `frame`. */
  sign(nonce: Uint8Array, frame: Uint8Array): void;
  /** Returns whether the tag of `frame` is valid. Never throws. */
  isRight(nonce: Uint8Array, frame: Uint8Array): boolean;
  /**
   * Verifies the datagrams of a batch that are symbols and begin with `head` (29 bytes, all before
   * the sequence). Returns `proofNumbers` numbers a datagram, valid until the next call. Returns
   * null when the batch is not in the memory of the kernel; the caller then verifies one datagram
   * at a time.
   */
  prove(batch: DatagramBatch, head: Uint8Array): Uint32Array | null;
}
export interface Crypto {
  /** SIV with HMAC-SHA256 and AES-128-CTR; see docs/PROTOCOL.md, "Sealing". */
  frameSeal(key48: Uint8Array): FrameSeal;
  /** AEAD_CHACHA20_POLY1305 (RFC 8439) with the frame as associated data and an empty plaintext. */
  frameTag(key32: Uint8Array): FrameTag;
  /**
   * AES-128-CTR (NIST SP 800-38A) from a first counter block of 16 bytes on. Encrypts and decrypts
   * in place.
   */
  ctr(key16: Uint8Array, counter: Uint8Array, bytes: Uint8Array): void;
  /** HKDF with SHA-256 (RFC 5869). */
  hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, lengthBytes: number): Uint8Array;
}

const text = new TextEncoder();
const sessionInfo = text.encode("flockcast session 1");
const frameInfo = text.encode("flockcast frame 1");
const symbolInfo = text.encode("flockcast symbol 1");
const chunkInfo = text.encode("flockcast chunk 1");
const contextKeyBytes = 16;
export const cipherKeyBytes = 16;
const frameKeyBytes = cipherKeyBytes + 32;

/**
 * Returns the session of a context, which is a task on its subnet or a package. Only a holder of
 * the key can derive it.
 */
export const sessionOf = (crypto: Crypto, key: Uint8Array): string =>
  crypto.hkdf(checkedKey(key), new Uint8Array(0), sessionInfo, 8).toHex();

/**
 * Returns the 48-byte key of the control frames of one sender in one session: 16 bytes of the
 * cipher, and 32 of the tag.
 */
export const frameKeyOf = (crypto: Crypto, key: Uint8Array, session: string, sender: string): Uint8Array =>
  crypto.hkdf(checkedKey(key), identityBytes(sender), inSession(frameInfo, session), frameKeyBytes);

/** Returns the 32-byte key of the symbol tags of one sender in one session. */
export const symbolKeyOf = (crypto: Crypto, key: Uint8Array, session: string, sender: string): Uint8Array =>
  crypto.hkdf(checkedKey(key), identityBytes(sender), inSession(symbolInfo, session), 32);

/**
 * Returns the 16-byte key of the chunks of a session, which is the same for all its
 * representatives.
 */
export const chunkKeyOf = (crypto: Crypto, key: Uint8Array, session: string): Uint8Array =>
  crypto.hkdf(checkedKey(key), new Uint8Array(0), inSession(chunkInfo, session), 16);

function inSession(label: Uint8Array, session: string): Uint8Array {
  const info = new Uint8Array(label.length + 8);
  info.set(label);
  info.set(identityBytes(session), label.length);
  return info;
}

/**
 * Encrypts a chunk for the wire, or decrypts a reassembled one, in place; returns the same array.
 *
 * All representatives of a session give a chunk the same bytes and the same key stream. Their
 * symbols therefore fit together, and a key stream is never used for two plaintexts.
 */
export type ChunkCipher = (chunk: number, bytes: Uint8Array) => Uint8Array;

export function chunkCipherOf(crypto: Crypto, key: Uint8Array, session: string): ChunkCipher {
  const chunkKey = chunkKeyOf(crypto, key, session);
  return (chunk, bytes) => {
    const counter = new Uint8Array(16);
    putUint32(counter, 0, chunk);
    crypto.ctr(chunkKey, counter, bytes);
    return bytes;
  };
}

export const symbolTag = (crypto: Crypto, key: Uint8Array, session: string, sender: string): FrameTag =>
  crypto.frameTag(symbolKeyOf(crypto, key, session, sender));

export const frameSeal = (crypto: Crypto, key: Uint8Array, session: string, sender: string): FrameSeal =>
  crypto.frameSeal(frameKeyOf(crypto, key, session, sender));

/** Writes the nonce of a symbol into `nonce` (12 bytes): 8 zero bytes, then the sequence. */
export const writeNonce = (nonce: Uint8Array, sequence: number): void =>
  putUint32(nonce, nonceBytes - 4, sequence);

function checkedKey(key: Uint8Array): Uint8Array {
  if (key.length !== contextKeyBytes) throw new Error(`A context key of ${key.length} bytes: give 16`);
  return key;
}
