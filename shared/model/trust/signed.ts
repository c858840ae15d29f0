/**
 * Signed statements: a text and Ed25519 signatures (RFC 8032) over its UTF-8 bytes.
 *
 * The signed bytes travel as they are, so that nobody has to write JSON in one canonical form. A
 * prefix names the kind: a signature over an order is none over a trust file.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import * as v from "valibot";
import { TrustError } from "./trust-error.ts";

/** Kinds of statements; part of the signed bytes. */
export const signedKinds = ["trust", "task", "setting", "assignments", "freshness"] as const;
export type SignedKind = (typeof signedKinds)[number];

/** Upper bound on a statement in UTF-16 code units: 500 assignments of long targets. */
const payloadLengthMax = 1_500_000;
const signaturesMax = 32;
/** Upper bound on the part of a refused statement that an error quotes. */
const problemLengthMax = 200;

export const trustKeySchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a public key is 64 hex digits"));
/** `payload` is JSON; `key` a raw public key of 32 bytes, hex; `signature` 64 bytes, base64. */
export const signedSchema = v.object({
  payload: v.pipe(v.string(), v.maxLength(payloadLengthMax)),
  signatures: v.pipe(
    v.array(
      v.object({
        key: trustKeySchema,
        signature: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/, "a signature is 64 bytes in base64")),
      }),
    ),
    v.maxLength(signaturesMax),
  ),
});
export type Signed = v.InferOutput<typeof signedSchema>;

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

const bytesOf = (kind: SignedKind, payload: string): Buffer =>
  Buffer.from(`flockcast ${kind} 1\0${payload}`, "utf8");

/** Signs a text with each of the keys. */
export const signText = (kind: SignedKind, payload: string, keys: readonly SigningKey[]): Signed => ({
  payload,
  signatures: keys.map(({ key, privateKey }) => ({
    key,
    signature: sign(null, bytesOf(kind, payload), privateKey).toString("base64"),
  })),
});

/** Signs a statement with each of the keys. */
export const signStatementOf = (kind: SignedKind, statement: object, keys: readonly SigningKey[]): Signed =>
  signText(kind, JSON.stringify(statement), keys);

/** Adds signatures of other keys over the same text; those of known keys stay. */
export function withSignatures(signed: Signed, more: Signed): Signed {
  if (signed.payload !== more.payload) return signed;
  const known = new Set(signed.signatures.map(({ key }) => key));
  const added = more.signatures.filter(({ key }) => !known.has(key));
  return { payload: signed.payload, signatures: [...signed.signatures, ...added].slice(0, signaturesMax) };
}

/** Returns the text with the valid signatures of `keys`, one of each. */
export function onlySigners(kind: SignedKind, signed: Signed, keys: readonly string[]): Signed {
  const { payload } = signed;
  const bytes = bytesOf(kind, payload);
  const valid = keys.flatMap((key) => {
    const own = signed.signatures.filter((one) => one.key === key);
    return own.filter(({ signature }) => isValid(bytes, key, signature)).slice(0, 1);
  });
  return { payload, signatures: valid };
}

function isValid(bytes: Buffer, key: string, signature: string): boolean {
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
  const bytes = bytesOf(kind, signed.payload);
  const found = new Set<string>();
  for (const { key, signature } of signed.signatures)
    if (wanted.has(key) && !found.has(key) && isValid(bytes, key, signature)) found.add(key);
  return found;
}

/**
 * Parses the text of a statement; proves nothing.
 * @throws TrustError `malformed`
 */
export function readPayload<S extends v.GenericSchema>(schema: S, { payload }: Signed): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    throw new TrustError("malformed", "the statement is not JSON");
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const why = `${v.getDotPath(issue) ?? ""} ${issue.message}`.slice(0, problemLengthMax);
  throw new TrustError("malformed", `the statement is not valid: ${why}`);
}

/** Returns a digest of the text of a statement, 32 hex digits. */
export const payloadDigest = ({ payload }: Signed): string =>
  createHash("sha256").update(payload, "utf8").digest("hex").slice(0, 32);

/**
 * Returns the first 16 hex digits of a public key's SHA-256: the name by which people compare keys.
 */
export const keyName = (key: string): string =>
  createHash("sha256").update(Buffer.from(key, "hex")).digest("hex").slice(0, 16);
