/**
 * Form of a signed manifest on the network: msgpack [manifest, signature, publisher's key],
 * compressed with zstd. The source sends it once per subnet; devices hand it to each other.
 */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { decode, encode } from "@msgpack/msgpack";
import * as v from "valibot";
import { manifestBytesMax } from "../model/manifest.ts";
import type { SignedManifest } from "../model/signing.ts";

/** Signature, key and lengths. */
const envelopeBytesMax = 256;
/** Upper bound on the packed form: zstd adds little to bytes that it cannot compress. */
export const packedManifestBytesMax = manifestBytesMax + 65_536;

const envelopeSchema = v.tuple([
  v.instance(Uint8Array),
  v.pipe(v.instance(Uint8Array), v.length(64)),
  v.pipe(v.instance(Uint8Array), v.length(32)),
]);

export function packManifest({ manifest, signature, publisherKey }: SignedManifest): Uint8Array {
  return zstdCompressSync(encode([manifest, signature, publisherKey]));
}

/** Returns null for bytes of another form. The signature and the manifest are not checked. */
export function unpackManifest(packed: Uint8Array): SignedManifest | null {
  try {
    const bytes = zstdDecompressSync(packed, { maxOutputLength: manifestBytesMax + envelopeBytesMax });
    const [manifest, signature, publisherKey] = v.parse(envelopeSchema, decode(bytes));
    // Copies: the fields are views of the whole message.
    return { manifest: manifest.slice(), signature: signature.slice(), publisherKey: publisherKey.slice() };
  } catch {
    return null;
  }
}
