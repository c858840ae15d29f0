/**
 * Encoded form of a manifest: msgpack arrays in a fixed order, in the shortest forms. Equal
 * manifests give equal bytes, so a package has one id.
 */
import { createHash } from "node:crypto";
import { Encoder } from "@msgpack/msgpack";
import { manifestBytesMax, type Manifest } from "./manifest.ts";
import { ManifestError } from "./manifest-error.ts";
import { readingManifest } from "./manifest-reader.ts";
import { manifestChecks } from "./manifest-rules.ts";
import { inTurns, toEnd } from "./steps.ts";

/**
 * Encodes a manifest.
 *
 * @throws ManifestError when the manifest breaks a rule or is larger than `manifestBytesMax`
 */
export const encodeManifest = (manifest: Manifest): Uint8Array => toEnd(encode(manifest));

/** As `encodeManifest`; other work of the process runs in between. */
export const encodeManifestInTurns = (manifest: Manifest): Promise<Uint8Array> => inTurns(encode(manifest));

/**
 * Decodes and checks a manifest.
 *
 * @throws ManifestError for bytes that are not a manifest, break a rule or are not in canonical
 * form
 */
export const decodeManifest = (bytes: Uint8Array): Manifest => toEnd(decode(bytes));

/** As `decodeManifest`; other work of the process runs in between. */
export const decodeManifestInTurns = (bytes: Uint8Array): Promise<Manifest> => inTurns(decode(bytes));

/** Returns the package id: SHA-256 of the encoded manifest, in hex. */
export const packageId = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function* encode(manifest: Manifest): Generator<void, Uint8Array> {
  yield* manifestChecks(manifest);
  const bytes = encodeFields(manifest);
  if (bytes.length > manifestBytesMax) {
    throw new ManifestError(
      `The manifest of "${manifest.name}" has ${bytes.length} bytes, more than ${manifestBytesMax}: publish fewer files`,
    );
  }
  return bytes;
}

function encodeFields(manifest: Manifest): Uint8Array {
  const { files, chunkDigests } = manifest;
  // A guess: the buffer grows where paths are longer.
  const initialBufferSize = 1_024 + chunkDigests.length + 64 * files.length;
  return new Encoder({ initialBufferSize }).encode([
    manifest.format,
    manifest.name,
    manifest.version,
    manifest.chunkSizeBytes,
    files.map((file) => [file.path, file.sizeBytes, file.mode]),
    manifest.folders,
    manifest.links.map((link) => [link.path, link.target]),
    manifest.commands.map(({ name, lines }) => [name, lines.map(({ os, shell, line }) => [os, shell, line])]),
    chunkDigests,
    manifest.encodings.map(({ encoding, first, count }) => [encoding, first, count]),
  ]);
}

function* decode(bytes: Uint8Array): Generator<void, Manifest> {
  if (bytes.length > manifestBytesMax) {
    throw new ManifestError(`The manifest has ${bytes.length} bytes, more than ${manifestBytesMax}`);
  }
  // One package has one id: the reader refuses a second encoding of equal fields.
  const manifest = yield* readingManifest(bytes);
  yield* manifestChecks(manifest);
  return manifest;
}
