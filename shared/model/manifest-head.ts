/** Name and version of an encoded manifest, for a signer who does not need the rest. */
import { ManifestError } from "./manifest-error.ts";
import { MsgpackReader } from "./msgpack-reader.ts";

/** Prefix of the bytes that a publisher signs: the signature counts for a manifest only. */
export const manifestDomain = "flockcast manifest 1\0";

/**
 * Reads the first fields of a manifest, whose signature the caller has verified.
 * @throws ManifestError
 */
export function readManifestHead(bytes: Uint8Array): { readonly name: string; readonly version: string } {
  const reader = new MsgpackReader(bytes);
  reader.array(10, 10);
  const format = reader.integer();
  if (format !== 2)
    throw new ManifestError(
      `The manifest has format ${format}, this version reads format 2: update flockcast`,
    );
  return { name: reader.text(), version: reader.text() };
}
