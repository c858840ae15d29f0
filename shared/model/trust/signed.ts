/**
 * Signatures under statements: Ed25519 (RFC 8032), with the cryptography of a server process. The
 * statements themselves are in statement.ts.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import { signedTextBytes, type Signed, type SignedKind } from "./statement.ts";

export * from "./statement.ts";

/** Key pair for statements. `key`: the raw public key, 64 hex digits. */
export type SigningKey = { readonly key: string; readonly privateKey: KeyObject };

/**
 * Reads an Ed25519 private key in PEM.
 * @throws Error that states what else the text is
 */
export function parseSigningKey(pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  if (privateKey.asymmetricKeyType !== "ed25519")
    throw new Error(`it is ${privateKey.asymmetricKeyType ?? "of an unknown type"}, not ed25519`);
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return { key: Buffer.from(x!, "base64url").toString("hex"), privateKey };
}

/** Signs a text with each of the keys. */
export const signText = (kind: SignedKind, payload: string, keys: readonly SigningKey[]): Signed => ({
  payload,
  signatures: keys.map(({ key, privateKey }) => ({
    key,
    signature: sign(null, signedTextBytes(kind, payload), privateKey).toString("base64"),
  })),
});

/** Signs a statement with each of the keys. */
export const signStatementOf = (kind: SignedKind, statement: object, keys: readonly SigningKey[]): Signed =>
  signText(kind, JSON.stringify(statement), keys);

/** Returns the text with the valid signatures of `keys`, one of each. */
export function onlySigners(kind: SignedKind, signed: Signed, keys: readonly string[]): Signed {
  const { payload } = signed;
  const bytes = signedTextBytes(kind, payload);
  const valid = keys.flatMap((key) => {
    const own = signed.signatures.filter((one) => one.key === key);
    return own.filter(({ signature }) => isValid(bytes, key, signature)).slice(0, 1);
  });
  return { payload, signatures: valid };
}

function isValid(bytes: Uint8Array, key: string, signature: string): boolean {
  const x = Buffer.from(key, "hex").toString("base64url");
  try {
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, bytes, publicKey, Buffer.from(signature, "base64"));
  } catch {
    // 32 bytes outside the curve.
    return false;
  }
}

/** Returns those of `keys` that have signed the text, each once. */
export function signersOf(kind: SignedKind, signed: Signed, keys: Iterable<string>): Set<string> {
  const wanted = new Set(keys);
  const bytes = signedTextBytes(kind, signed.payload);
  const found = new Set<string>();
  for (const { key, signature } of signed.signatures)
    if (wanted.has(key) && !found.has(key) && isValid(bytes, key, signature)) found.add(key);
  return found;
}

/** Returns a digest of the text of a statement, 32 hex digits. */
export const payloadDigest = ({ payload }: Signed): string =>
  createHash("sha256").update(payload, "utf8").digest("hex").slice(0, 32);

/**
 * Returns the first 16 hex digits of a public key's SHA-256: the name by which people compare keys.
 */
export const keyName = (key: string): string =>
  createHash("sha256").update(Buffer.from(key, "hex")).digest("hex").slice(0, 16);
