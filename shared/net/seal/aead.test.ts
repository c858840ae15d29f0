/** Compares the ciphers with published test vectors. */
import { createCipheriv, createHmac } from "node:crypto";
import { expect, test } from "bun:test";
import { createAead, nodeCrypto } from "./aead.ts";

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);

test("HKDF-SHA256 matches RFC 5869, test case 1", () => {
  const output = nodeCrypto.hkdf(
    hex("0b".repeat(22)),
    hex("000102030405060708090a0b0c"),
    hex("f0f1f2f3f4f5f6f7f8f9"),
    42,
  );
  expect(output.toHex()).toBe(
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
  );
});

test.each([1, 65_536, 65_537, 200_000])(
  "AES-128-CTR encrypts %d bytes in place and decrypts them again",
  (lengthBytes) => {
    const key = hex("2b7e151628aed2a6abf7158809cf4f3c");
    // The first increment carries into the next byte.
    const counter = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    const plaintext = new Uint8Array(lengthBytes).map((_, i) => i * 31 + (i >> 8));
    const bytes = plaintext.slice();
    nodeCrypto.ctr(key, counter, bytes);
    const expected = createCipheriv("aes-128-ctr", key, counter).update(plaintext);
    expect(Buffer.compare(bytes, expected)).toBe(0);
    nodeCrypto.ctr(key, counter, bytes);
    expect(Buffer.compare(bytes, plaintext)).toBe(0);
  },
);

test("AES-128-GCM seals and opens test case 4 of the GCM specification", () => {
  const aead = createAead(hex("feffe9928665731c6d6a8f9467308308"));
  const nonce = hex("cafebabefacedbaddecaf888");
  const associated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const plaintext = hex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
  );
  const sealed =
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" +
    "5bc94fbc3221a5db94fae95ae7121a47";
  expect(aead.seal(nonce, associated, plaintext).toHex()).toBe(sealed);
  expect(aead.open(nonce, associated, hex(sealed))?.toHex()).toBe(plaintext.toHex());
});

test("AES-128-GCM returns null for any change of text, nonce or associated data, without throwing", () => {
  const aead = createAead(new Uint8Array(16).fill(1));
  const nonce = new Uint8Array(12);
  const associated = hex("0102");
  const sealed = aead.seal(nonce, associated, hex("aabbcc"));
  for (let at = 0; at < sealed.length; at++)
    expect(aead.open(nonce, associated, sealed.with(at, sealed[at]! ^ 1))).toBeNull();
  expect(aead.open(nonce, hex("0103"), sealed)).toBeNull();
  expect(aead.open(new Uint8Array(12).fill(1), associated, sealed)).toBeNull();
  for (let length = 0; length < sealed.length; length++)
    expect(aead.open(nonce, associated, sealed.subarray(0, length))).toBeNull();
  expect(aead.open(nonce, associated, sealed)?.toHex()).toBe("aabbcc");
});

const frameKey = new Uint8Array(48).map((_, i) => i);
/** Seals as a device does. */
function sealedFrame(associated: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(plaintext.length + 16);
  nodeCrypto.frameSeal(frameKey).sealInto(associated, plaintext, sealed);
  return sealed;
}

test("a control frame's tag is the HMAC of head and body, and the counter of its cipher", () => {
  const [associated, plaintext] = [hex("0102030405"), new TextEncoder().encode("disk is at 99 %")];
  const sealed = sealedFrame(associated, plaintext);
  const mac = createHmac("sha256", frameKey.subarray(16)).update(associated).update(plaintext).digest();
  expect(sealed.subarray(plaintext.length).toHex()).toBe(mac.toString("hex").slice(0, 32));
  const cipher = createCipheriv("aes-128-ctr", frameKey.subarray(0, 16), mac.subarray(0, 16));
  expect(sealed.subarray(0, plaintext.length).toHex()).toBe(cipher.update(plaintext).toString("hex"));
  expect(nodeCrypto.frameSeal(frameKey).open(associated, sealed)).toEqual(Buffer.from(plaintext));
});

test("a control frame that was changed, or has another head, does not open", () => {
  const seal = nodeCrypto.frameSeal(frameKey);
  const sealed = sealedFrame(hex("0102"), hex("aabbcc"));
  for (let at = 0; at < sealed.length; at++)
    expect(seal.open(hex("0102"), sealed.with(at, sealed[at]! ^ 1))).toBeNull();
  expect(seal.open(hex("0103"), sealed)).toBeNull();
  expect(seal.open(hex("01"), sealed)).toBeNull();
  for (let length = 0; length < sealed.length; length++)
    expect(seal.open(hex("0102"), sealed.subarray(0, length))).toBeNull();
  expect(nodeCrypto.frameSeal(frameKey.with(47, 0)).open(hex("0102"), sealed)).toBeNull();
});

test("two bodies under one head, as after a return to a snapshot, share no key stream", () => {
  const head = hex("97".repeat(33));
  const [one, two] = [
    new TextEncoder().encode("disk is at 99 %"),
    new TextEncoder().encode("disk is at 10 %"),
  ];
  const [a, b] = [sealedFrame(head, one), sealedFrame(head, two)];
  const combined = a.map((byte, at) => byte ^ b[at]!).subarray(0, one.length);
  expect(combined.toHex()).not.toBe(one.map((byte, at) => byte ^ two[at]!).toHex());
  expect(sealedFrame(head, one)).toEqual(a);
});
