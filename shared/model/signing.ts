/**
 * Ed25519 signatures over manifests: who published a package. The key file is source/publishing/publisher-key.ts.
 *
 * Devices pin raw 32-byte public keys at enrolment and accept no manifest of another publisher. A prefix keeps a
 * signature from meaning anything outside manifests.
 */
import { createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import { decodeManifest, ManifestError, packageId, type Manifest } from "./manifest.ts";

const publicKeyBytes = 32;
const signatureBytes = 64;
const domain = Buffer.from("flockcast manifest 1\0", "latin1");

export type PublisherKey = { readonly privateKey: KeyObject; readonly publicKey: Uint8Array };
/** A manifest as it travels: its bytes, the signature over them and whose key made it. */
export type SignedManifest = {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  readonly publisherKey: Uint8Array;
};

const signedBytes = (manifest: Uint8Array): Buffer => Buffer.concat([domain, manifest]);

/** 64 bytes over the manifest's bytes. */
const signManifest = (bytes: Uint8Array, key: PublisherKey): Uint8Array =>
  new Uint8Array(sign(null, signedBytes(bytes), key.privateKey));

/** The whole envelope at once, as it is published and handed to devices. */
export const signed = (bytes: Uint8Array, key: PublisherKey): SignedManifest => ({
  manifest: bytes,
  signature: signManifest(bytes, key),
  publisherKey: key.publicKey,
});

/**
 * The manifest in an envelope, when one of `pinnedKeys` signed it. Nothing is decoded before the signature holds.
 * @throws ManifestError for an unknown publisher, a wrong signature or a manifest that breaks a rule.
 */
export function verifySigned(
  envelope: SignedManifest,
  pinnedKeys: readonly Uint8Array[],
): { manifest: Manifest; id: string } {
  const key = Buffer.from(envelope.publisherKey);
  if (!pinnedKeys.some((pinned) => pinned.length === publicKeyBytes && key.equals(pinned))) {
    throw new ManifestError(
      `Unknown publisher ${key.subarray(0, publicKeyBytes).toString("hex")}: this device was not enrolled with that key; ` +
        "enrol it again if the source's publisher key was changed on purpose",
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
  return { manifest: decodeManifest(envelope.manifest), id: packageId(envelope.manifest) };
}
