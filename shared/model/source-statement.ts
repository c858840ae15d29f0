/**
 * Statement of a source about itself, signed with the source's identity key (Ed25519, RFC 8032).
 *
 * The identity key outlives every TLS certificate and address of the source. Devices pin its
 * SHA-256, and the statement vouches for the certificate in use. The HTTP form is in
 * api/schema/identity.ts.
 */
import { createHash, createPublicKey, sign, verify, type KeyObject } from "node:crypto";

/** Key pair of a source; the private key never leaves the source's data folder. */
export type IdentityKey = { readonly privateKey: KeyObject; readonly publicKey: Uint8Array };

export type SourceStatement = {
  readonly deployment: number;
  /** Raw 32-byte public key, base64. */
  readonly identityKey: string;
  /** SHA-256 of the SubjectPublicKeyInfo of the certificate in use, hex; null without TLS. */
  readonly tlsSpki: string | null;
  /** Origin to which the source moves; null: no move is announced. */
  readonly announcedUrl: string | null;
  readonly sourceTimeMs: number;
  readonly version: string;
  /** Random digits of the request, which prove that the statement is fresh; null without them. */
  readonly nonce: string | null;
};
/** `signature`: 64 bytes, base64. */
export type SignedStatement = SourceStatement & { readonly signature: string };

const domain = "flockcast source statement 1";

/**
 * Returns the signed bytes: the domain and each field on a line of its own, "-" for null. The
 * schema keeps line breaks out of every field.
 */
export function statementBytes(statement: SourceStatement): Uint8Array {
  const { deployment, identityKey, tlsSpki, announcedUrl, sourceTimeMs, version, nonce } = statement;
  const fields = [deployment, identityKey, tlsSpki, announcedUrl, sourceTimeMs, version, nonce];
  return Buffer.from([domain, ...fields.map((field) => field ?? "-"), ""].join("\n"), "utf8");
}

/** Returns the SHA-256 of a raw identity key, 64 hex digits: the form that tokens carry. */
export const identityFingerprint = (publicKey: Uint8Array): string =>
  createHash("sha256").update(publicKey).digest("hex");

/** Completes a statement with the identity key and signs it. */
export function signStatement(
  statement: Omit<SourceStatement, "identityKey">,
  key: IdentityKey,
): SignedStatement {
  const whole = { ...statement, identityKey: Buffer.from(key.publicKey).toString("base64") };
  return { ...whole, signature: sign(null, statementBytes(whole), key.privateKey).toString("base64") };
}

/** Returns whether the key that a statement names has signed it. */
export function isSigned({ signature, ...statement }: SignedStatement): boolean {
  const x = Buffer.from(statement.identityKey, "base64").toString("base64url");
  try {
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, statementBytes(statement), key, Buffer.from(signature, "base64"));
  } catch {
    // Not a key of 32 bytes.
    return false;
  }
}
