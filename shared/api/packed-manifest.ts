/**
 * Form of a signed manifest on the network: msgpack [manifest, signature, publisher's key],
 * compressed with zstd. The publisher sends it to the source, which sends it once per subnet;
 * devices hand it to each other.
 */
import { promisify } from "node:util";
import { zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { decode, encode } from "@msgpack/msgpack";
import * as v from "valibot";
import { manifestBytesMax } from "../model/manifest.ts";
import type { SignedManifest } from "../model/signing.ts";

/** Signature, key and lengths. */
const envelopeBytesMax = 256;
/** Upper bound on the packed form: zstd adds little to bytes that it cannot compress. */
export const packedManifestBytesMax = manifestBytesMax + 65_536;

/** Forms below this size take less time than waking a thread. */
const threadBytesMin = 4_096;
const [compress, decompress] = [promisify(zstdCompress), promisify(zstdDecompress)];

const envelopeSchema = v.tuple([
  v.instance(Uint8Array),
  v.pipe(v.instance(Uint8Array), v.length(64)),
  v.pipe(v.instance(Uint8Array), v.length(32)),
]);

export async function packManifest(signed: SignedManifest): Promise<Uint8Array> {
  const { manifest, signature, publisherKey } = signed;
  const bytes = encode([manifest, signature, publisherKey]);
  return bytes.length < threadBytesMin ? zstdCompressSync(bytes) : compress(bytes);
}

/** Returns null for bytes of another form. The signature and the manifest are not checked. */
export async function unpackManifest(packed: Uint8Array): Promise<SignedManifest | null> {
  const options = { maxOutputLength: manifestBytesMax + envelopeBytesMax };
  try {
    const bytes =
      packed.length < threadBytesMin
        ? zstdDecompressSync(packed, options)
        : await decompress(packed, options);
    const [manifest, signature, publisherKey] = v.parse(envelopeSchema, decode(bytes));
    // Copies: the fields are views of the whole message.
    return { manifest: manifest.slice(), signature: signature.slice(), publisherKey: publisherKey.slice() };
  } catch {
    return null;
  }
}
