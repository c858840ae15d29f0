/**
 * Who published a package: Ed25519 signatures over manifests, and the publisher's key file.
 *
 * Devices pin raw 32-byte public keys at enrolment and take no manifest of anyone else. A prefix keeps a signature
 * from meaning anything outside manifests. The private key never leaves its file and this process.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { link, mkdir, open, readFile, rm, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { decodeManifest, ManifestError, packageId, type Manifest } from "./manifest.ts";

export const publicKeyBytes = 32;
export const signatureBytes = 64;
const domain = Buffer.from("flockcast manifest 1\0", "latin1");

export type PublisherKey = { readonly privateKey: KeyObject; readonly publicKey: Uint8Array };
/** A manifest as it travels: its bytes, the signature over them and whose key made it. */
export type SignedManifest = {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  readonly publisherKey: Uint8Array;
};

/**
 * Reads the publisher's key from `file`, or makes one there (mode 0600) at first use.
 * @throws Error when the file cannot be read or holds something else.
 */
export async function loadOrCreatePublisherKey(file: string): Promise<PublisherKey> {
  const found = await readKeyFile(file);
  if (found) return found;
  await mkdir(dirname(file), { recursive: true });
  const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
  const draft = `${file}.${process.pid}.${crypto.randomUUID()}`;
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(pem);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    // A link never replaces: of two programs that start together one wins, and both then use the winner's key.
    await link(draft, file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EEXIST") await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
  const made = await readKeyFile(file);
  if (!made) throw new Error(`Cannot make the publisher's key: "${file}" vanished`);
  return made;
}

async function readKeyFile(file: string): Promise<PublisherKey | null> {
  let pem: string;
  try {
    pem = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Error(`Cannot read the publisher's key "${file}": ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyType !== "ed25519") throw new Error(`it is ${privateKey.asymmetricKeyType}`);
    return { privateKey, publicKey: rawPublicKey(privateKey) };
  } catch (error) {
    throw new Error(
      `"${file}" is not an Ed25519 private key in PEM form (${(error as Error).message}): restore it from a backup, ` +
        "or move it away to make a new one, which devices enrolled before will not know",
      { cause: error },
    );
  }
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return new Uint8Array(Buffer.from(x!, "base64url"));
}

const signedBytes = (manifest: Uint8Array): Buffer => Buffer.concat([domain, manifest]);

/** 64 bytes over the manifest's bytes. */
export const signManifest = (bytes: Uint8Array, key: PublisherKey): Uint8Array =>
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
