/**
 * Schemas of the source's statement about itself, and of its announced address. The signature is
 * defined in model/source-statement.ts.
 */
import * as v from "valibot";
import { base64, counter, timeMs } from "./common.ts";

/** Origin of a source: http or https, without a path. */
export const sourceUrlSchema = v.pipe(
  v.string(),
  v.maxLength(512),
  v.check((text) => {
    const url = URL.parse(text);
    return url !== null && /^https?:$/.test(url.protocol) && url.origin === text;
  }, "the URL of a source is for example https://source.example:7443, without a path"),
);
const sha256Schema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a SHA-256 is 64 hex digits"));
export const nonceSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16,64}$/, "a nonce is 16 to 64 hex digits"));
export const identityQuerySchema = v.object({ nonce: v.optional(nonceSchema) });
export const statementSchema = v.object({
  deployment: counter,
  /** Raw Ed25519 key. */
  identityKey: base64(32),
  /** SHA-256 of the SubjectPublicKeyInfo of the TLS certificate in use. */
  tlsSpki: v.nullable(sha256Schema),
  announcedUrl: v.nullable(sourceUrlSchema),
  sourceTimeMs: timeMs,
  version: v.pipe(v.string(), v.regex(/^[\w.+-]{1,64}$/, "a version has letters, digits and . + - only")),
  nonce: v.nullable(nonceSchema),
  signature: base64(64),
});
export const sourceAddressSchema = v.object({ announcedUrl: v.nullable(sourceUrlSchema) });
export type SourceAddress = v.InferOutput<typeof sourceAddressSchema>;
