/**
 * Signatures in a browser: WebCrypto signs and verifies, and gives the pure checks of the model
 * what they need. Nothing here decides what may be signed.
 */
import { base64Bytes, base64Of, hexBytes, hexOf } from "../../../../model/byte-text.ts";
import { manifestDomain } from "../../../../model/manifest-head.ts";
import {
  readPayload,
  signedTextBytes,
  type Signed,
  type SignedKind,
  type SignersOf,
} from "../../../../model/trust/statement.ts";
import type { ChainChecks } from "../../../../model/trust/trust-chain.ts";
import { rootText, trustFileSchema, type TrustFile } from "../../../../model/trust/trust-content.ts";

const { subtle } = crypto;

/** Private key for statements. `key`: the raw public key, hex. */
export type StatementKey = { readonly key: string; readonly privateKey: CryptoKey };

const sha256 = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  hexOf(new Uint8Array(await subtle.digest("SHA-256", bytes)));
const textBytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Returns the SHA-256 of root keys that tokens and recovery files carry, hex. */
export const fingerprintOf = (root: TrustFile["root"]): Promise<string> => sha256(textBytes(rootText(root)));

/** Returns the name by which people compare keys. */
export const keyNameOf = async (key: string): Promise<string> => (await sha256(hexBytes(key))).slice(0, 16);

export const packageIdOf = (manifest: Uint8Array<ArrayBuffer>): Promise<string> => sha256(manifest);

async function isSignature(
  bytes: Uint8Array<ArrayBuffer>,
  key: string,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  try {
    const publicKey = await subtle.importKey("raw", hexBytes(key), "Ed25519", false, ["verify"]);
    return await subtle.verify("Ed25519", publicKey, signature, bytes);
  } catch {
    // 32 bytes outside the curve.
    return false;
  }
}

const nameOf = (kind: SignedKind, payload: string, key: string): string => `${kind} ${key} ${payload}`;

/** Verifies all signatures of statements, for checks that cannot wait. */
export async function verifiedSigners(
  statements: readonly (readonly [kind: SignedKind, signed: Signed])[],
): Promise<SignersOf> {
  const valid = new Set<string>();
  for (const [kind, { payload, signatures }] of statements) {
    const bytes = signedTextBytes(kind, payload);
    for (const { key, signature } of signatures)
      if (await isSignature(bytes, key, base64Bytes(signature))) valid.add(nameOf(kind, payload, key));
  }
  return (kind, { payload }, keys) =>
    new Set([...keys].filter((key) => valid.has(nameOf(kind, payload, key))));
}

/**
 * Returns the checks of a chain of trust files.
 * @throws TrustError for a text that is not a trust file
 */
export async function chainChecksFor(files: readonly Signed[]): Promise<ChainChecks> {
  const fingerprints = new Map<string, string>();
  for (const signed of files) {
    const { root } = readPayload(trustFileSchema, signed);
    fingerprints.set(rootText(root), await fingerprintOf(root));
  }
  return {
    signersOf: await verifiedSigners(files.map((signed) => ["trust", signed] as const)),
    fingerprintOf: (root) => fingerprints.get(rootText(root)) ?? "",
  };
}

export async function signTextWith(
  kind: SignedKind,
  payload: string,
  { key, privateKey }: StatementKey,
): Promise<Signed> {
  const signature = new Uint8Array(await subtle.sign("Ed25519", privateKey, signedTextBytes(kind, payload)));
  return { payload, signatures: [{ key, signature: base64Of(signature) }] };
}

function manifestBytes(manifest: Uint8Array): Uint8Array<ArrayBuffer> {
  const domain = textBytes(manifestDomain);
  const bytes = new Uint8Array(domain.length + manifest.length);
  bytes.set(domain);
  bytes.set(manifest, domain.length);
  return bytes;
}

export const signManifestWith = async (
  manifest: Uint8Array,
  { privateKey }: StatementKey,
): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await subtle.sign("Ed25519", privateKey, manifestBytes(manifest)));

export const isManifestSignature = (
  manifest: Uint8Array,
  key: string,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> => isSignature(manifestBytes(manifest), key, signature);
