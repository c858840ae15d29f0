/**
 * Real ciphers with a cache: a datagram that arrives unchanged at many receivers is decrypted once.
 *
 * The cache is keyed by buffer. A datagram that the network corrupts is a copy in another buffer,
 * so its own tag is always verified.
 */
import { nodeCrypto } from "../net/seal/aead.ts";
import type { Crypto } from "../wire/index.ts";

type FrameSeal = ReturnType<Crypto["frameSeal"]>;
type FrameTag = ReturnType<Crypto["frameTag"]>;

export function createSharedCrypto(): Crypto {
  const seals = new Map<string, FrameSeal>();
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
    frameSeal(key) {
      const name = key.toHex();
      let seal = seals.get(name);
      if (!seal) seals.set(name, (seal = openOnce(nodeCrypto.frameSeal(key))));
      return seal;
    },
    frameTag(key) {
      const name = key.toHex();
      let tag = tags.get(name);
      if (!tag) tags.set(name, (tag = verifyOnce(nodeCrypto.frameTag(key))));
      return tag;
    },
  };
}

function openOnce(seal: FrameSeal): FrameSeal {
  const opened = new WeakMap<ArrayBufferLike, Uint8Array | null>();
  return {
    ...seal,
    open(associated, sealed) {
      let plaintext = opened.get(sealed.buffer);
      if (plaintext === undefined) {
        plaintext = seal.open(associated, sealed);
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
