/**
 * How a body is sealed: which key, which nonce, which associated data. The ciphers themselves are handed in
 * (shared/net/seal/aead.ts has the real ones), so that this folder stays free of I/O and randomness.
 *
 * Control frames are sealed one by one. A symbol is a piece of an encrypted chunk, and its frame carries a tag: what
 * has to be done for each of 714,000 datagrams of a gigabyte is then one tag, and nothing is allocated for it.
 */
import type { DatagramBatch } from "./datagram-batch.ts";
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
/** The tag of whole frames under one key: their last 16 bytes prove all before. */
export interface FrameTag {
  /** Writes the last 16 bytes of `frame`. */
  sign(nonce: Uint8Array, frame: Uint8Array): void;
  /** Never throws. */
  isRight(nonce: Uint8Array, frame: Uint8Array): boolean;
  /**
   * Proves those datagrams of a batch that are symbols beginning with `head` (29 bytes, all before the sequence), and says what
   * they are: `proofNumbers` a datagram, until the next call. Null: not here, one at a time.
   */
  prove(batch: DatagramBatch, head: Uint8Array): Uint32Array | null;
}
export interface Crypto {
  aead(key16: Uint8Array): Aead;
  /** AEAD_CHACHA20_POLY1305 (RFC 8439) with the frame as associated data and an empty plaintext. */
  frameTag(key32: Uint8Array): FrameTag;
  /** AES-128-CTR (NIST SP 800-38A), both ways, from a first counter block of 16 bytes on; in place. */
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

/** The session of a context (a task on its subnet, or a package): only who holds its key can name it. */
export const sessionOf = (crypto: Crypto, key: Uint8Array): string =>
  crypto.hkdf(checkedKey(key), new Uint8Array(0), sessionInfo, 8).toHex();

/** The key of everything that one sender says in one session: 16 bytes. */
export const frameKeyOf = (crypto: Crypto, key: Uint8Array, session: string, sender: string): Uint8Array =>
  crypto.hkdf(checkedKey(key), identityBytes(sender), inSession(frameInfo, session), 16);

/** The key of the tags of one sender's symbols in one session: 32 bytes. */
export const symbolKeyOf = (crypto: Crypto, key: Uint8Array, session: string, sender: string): Uint8Array =>
  crypto.hkdf(checkedKey(key), identityBytes(sender), inSession(symbolInfo, session), 32);

/** The key of the chunks of a session, the same for all its representatives: 16 bytes. */
export const chunkKeyOf = (crypto: Crypto, key: Uint8Array, session: string): Uint8Array =>
  crypto.hkdf(checkedKey(key), new Uint8Array(0), inSession(chunkInfo, session), 16);

function inSession(label: Uint8Array, session: string): Uint8Array {
  const info = new Uint8Array(label.length + 8);
  info.set(label);
  info.set(identityBytes(session), label.length);
  return info;
}

/**
 * Encrypts a chunk for the wire, and decrypts one that was put together from symbols; the same both ways. A chunk of a
 * session always has the same bytes and the same key stream, whoever sends it: so symbols of two representatives fit
 * together, and a key stream never meets two texts. In place: answers the same bytes, changed.
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

export const frameAead = (crypto: Crypto, key: Uint8Array, session: string, sender: string): Aead =>
  crypto.aead(frameKeyOf(crypto, key, session, sender));

/** Writes the nonce of a sequence, 8 zero bytes and the sequence, into `nonce` (12 bytes). */
export const writeNonce = (nonce: Uint8Array, sequence: number): void =>
  putUint32(nonce, nonceBytes - 4, sequence);

function checkedKey(key: Uint8Array): Uint8Array {
  if (key.length !== contextKeyBytes) throw new Error(`A context key of ${key.length} bytes: give 16`);
  return key;
}
