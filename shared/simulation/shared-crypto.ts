/**
 * Real ciphers with a cache: a datagram that arrives unchanged at many receivers is decrypted once.
 *
 * The cache is keyed by buffer. A datagram that the network corrupts is a copy in another buffer,
 * so its own tag is always verified.
 */
import { nodeCrypto } from "../net/seal/aead.ts";
import type { Crypto } from "../wire/index.ts";

type Aead = ReturnType<Crypto["aead"]>;
type FrameTag = ReturnType<Crypto["frameTag"]>;

export function createSharedCrypto(): Crypto {
  const aeads = new Map<string, Aead>();
  const tags = new Map<string, FrameTag>();
  const derived = new Map<string, Uint8Array>();
  return {
    ...nodeCrypto,
    hkdf(ikm, salt, info, lengthBytes) {
      const name = `${ikm.toHex()} ${salt.toHex()} ${info.toHex()} ${lengthBytes}`;
      let key = derived.get(name);
      if (!key) derived.set(name, (key = nodeCrypto.hkdf(ikm, salt, info, lengthBytes)));
      return key;
    },
    aead(key) {
      const name = key.toHex();
      let aead = aeads.get(name);
      if (!aead) aeads.set(name, (aead = openOnce(nodeCrypto.aead(key))));
      return aead;
    },
    frameTag(key) {
      const name = key.toHex();
      let tag = tags.get(name);
      if (!tag) tags.set(name, (tag = verifyOnce(nodeCrypto.frameTag(key))));
      return tag;
    },
  };
}

function openOnce(aead: Aead): Aead {
  const opened = new WeakMap<ArrayBufferLike, Uint8Array | null>();
  return {
    ...aead,
    open(nonce, associated, sealed) {
      let plaintext = opened.get(sealed.buffer);
      if (plaintext === undefined) {
        plaintext = aead.open(nonce, associated, sealed);
        opened.set(sealed.buffer, plaintext);
      }
      return plaintext;
    },
  };
}

function verifyOnce(tag: FrameTag): FrameTag {
  const verified = new WeakMap<ArrayBufferLike, boolean>();
  return {
    ...tag,
    isRight(nonce, frame) {
      let isRight = verified.get(frame.buffer);
      if (isRight === undefined) {
        isRight = tag.isRight(nonce, frame);
        verified.set(frame.buffer, isRight);
      }
      return isRight;
    },
  };
}
