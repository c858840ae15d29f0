/**
 * Ed25519 signatures (RFC 8032) over manifests: they prove who published a package.
 *
 * Devices pin the raw 32-byte public keys of the first check-in that names one, and refuse
 * manifests of other publishers. Commands and settings are not signed. A domain prefix keeps a
 * signature from being valid for anything but a manifest. The private key's file is read in
 * source/publishing/publisher-key.ts.
 */
import { createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Manifest } from "./manifest.ts";
import { decodeManifestInTurns, packageId } from "./manifest-codec.ts";
import { ManifestError } from "./manifest-error.ts";
import { manifestDomain } from "./manifest-head.ts";

const publicKeyBytes = 32;
const signatureBytes = 64;
/** Size from which other work of the process runs between checking and decoding a manifest. */
const manifestBytesPerTurn = 1_048_576;
const domain = Buffer.from(manifestDomain, "latin1");

export type PublisherKey = { readonly privateKey: KeyObject; readonly publicKey: Uint8Array };
/**
 * Manifest as it is sent: its encoded bytes, the signature over them, and the public key of the
 * signer.
 */
export type SignedManifest = {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  readonly publisherKey: Uint8Array;
};

const signedBytes = (manifest: Uint8Array): Buffer => Buffer.concat([domain, manifest]);

/** Returns the 64-byte signature over the manifest's encoded bytes. */
const signManifest = (bytes: Uint8Array, key: PublisherKey): Uint8Array =>
  new Uint8Array(sign(null, signedBytes(bytes), key.privateKey));

/** Signs an encoded manifest and returns the envelope that is published and sent to devices. */
export const signed = (bytes: Uint8Array, key: PublisherKey): SignedManifest => ({
  manifest: bytes,
  signature: signManifest(bytes, key),
  publisherKey: key.publicKey,
});

/**
 * Returns the manifest of an envelope that one of `pinnedKeys` signed, and its package id. No byte
 * is decoded before the signature is verified.
 *
 * @throws ManifestError for an unknown publisher, a wrong signature or a manifest that breaks a
 * rule
 */
export async function verifySigned(
  envelope: SignedManifest,
  pinnedKeys: readonly Uint8Array[],
): Promise<{ manifest: Manifest; id: string }> {
  checkSignature(envelope, pinnedKeys);
  // Checking the signature of 16 MiB takes a tenth of a second.
  if (envelope.manifest.length > manifestBytesPerTurn) await nextTurn();
  return {
    manifest: await decodeManifestInTurns(envelope.manifest),
    id: packageId(envelope.manifest),
  };
}

/**
 * Checks who signed an envelope.
 * @throws ManifestError for an unknown publisher or a wrong signature
 */
export function checkSignature(envelope: SignedManifest, pinnedKeys: readonly Uint8Array[]): void {
  const key = Buffer.from(envelope.publisherKey);
  if (!pinnedKeys.some((pinned) => pinned.length === publicKeyBytes && key.equals(pinned))) {
    throw new ManifestError(
      `Unknown publisher ${key.subarray(0, publicKeyBytes).toString("hex")}: the trust file does not list the key for this ` +
        "package name; publish with a key that is listed, or list it (trust add-key --role publisher)",
    );
  }
  const publicKey = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: key.toString("base64url") },
    format: "jwk",
  });
  if (
    envelope.signature.length !== signatureBytes ||
    !verify(null, signedBytes(envelope.manifest), publicKey, envelope.signature)
  ) {
    throw new ManifestError(
      `Bad signature of publisher ${key.toString("hex")}: the manifest was changed after it was signed; publish the package again`,
    );
  }
}
