/**
 * Signed statements as data: a text and signatures over its UTF-8 bytes. Pure, also for browsers;
 * signed.ts signs and verifies with the cryptography of the runtime.
 *
 * The signed bytes travel as they are, so that nobody has to write JSON in one canonical form. A
 * prefix names the kind: a signature over an order is none over a trust file.
 */
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

/**
 * Returns those of `keys` that have signed the text, each once. The runtime gives it: signed.ts, or
 * in a browser a look-up of signatures that were verified before.
 */
export type SignersOf = (kind: SignedKind, signed: Signed, keys: Iterable<string>) => Set<string>;

/** Returns the bytes that are signed: the prefix of the kind, and the text. */
export const signedTextBytes = (kind: SignedKind, payload: string): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(`flockcast ${kind} 1\0${payload}`);

/** Adds signatures of other keys over the same text; those of known keys stay. */
export function withSignatures(signed: Signed, more: Signed): Signed {
  if (signed.payload !== more.payload) return signed;
  const known = new Set(signed.signatures.map(({ key }) => key));
  const added = more.signatures.filter(({ key }) => !known.has(key));
  return { payload: signed.payload, signatures: [...signed.signatures, ...added].slice(0, signaturesMax) };
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
