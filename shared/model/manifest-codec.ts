/**
 * Encoded form of a manifest: msgpack arrays in a fixed order, in the shortest forms. Equal
 * manifests give equal bytes, so a package has one id.
 */
import { createHash } from "node:crypto";
import { Encoder } from "@msgpack/msgpack";
import {
  chunksMax,
  manifestBytesMax,
  type EncodedRun,
  type Manifest,
  type ManifestFile,
} from "./manifest.ts";
import { ManifestError } from "./manifest-error.ts";
import { entriesMax, manifestChecks } from "./manifest-rules.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { commandsMax, operatingSystems, type CommandLine, type NamedCommand } from "./package-command.ts";
import type { PackageLink } from "./package-link.ts";
import { inTurns, toEnd } from "./steps.ts";

/** Entries read between two pauses. */
const entriesPerStep = 4_000;

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
  const manifest = yield* reading(new MsgpackReader(bytes));
  yield* manifestChecks(manifest);
  return manifest;
}

function* reading(reader: MsgpackReader): Generator<void, Manifest> {
  reader.array(10, 10);
  const format = reader.integer();
  if (format !== 2) {
    throw new ManifestError(
      `The manifest has format ${format}, this version reads format 2: update flockcast`,
    );
  }
  const name = reader.text();
  const version = reader.text();
  const chunkSizeBytes = reader.integer();
  const files = yield* readingList(reader, entriesMax, readFile);
  const folders = yield* readingList(reader, entriesMax, (each) => each.text());
  const links = yield* readingList(reader, entriesMax, readLink);
  const commands = yield* readingList(reader, commandsMax, readCommand);
  const chunkDigests = reader.binary();
  const encodings = yield* readingList(reader, chunksMax, readRun);
  reader.end();
  // `manifestChecks` checks that the sum is exact.
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    format,
    name,
    version,
    files,
    folders,
    links,
    commands,
    sizeBytes,
    chunkSizeBytes,
    chunkDigests,
    encodings,
  };
}

function* readingList<T>(
  reader: MsgpackReader,
  max: number,
  read: (reader: MsgpackReader) => T,
): Generator<void, T[]> {
  const items: T[] = [];
  for (let left = reader.array(0, max); left > 0; left--) {
    items.push(read(reader));
    if (items.length % entriesPerStep === 0) yield;
  }
  return items;
}

function readFile(reader: MsgpackReader): ManifestFile {
  reader.array(3, 3);
  // `manifestChecks` checks the value of the mode.
  return { path: reader.text(), sizeBytes: reader.integer(), mode: reader.integer() as ManifestFile["mode"] };
}

function readLink(reader: MsgpackReader): PackageLink {
  reader.array(2, 2);
  return { path: reader.text(), target: reader.text() };
}

function readCommand(reader: MsgpackReader): NamedCommand {
  reader.array(2, 2);
  const name = reader.text();
  const lines = Array.from({ length: reader.array(0, operatingSystems.length) }, (): CommandLine => {
    reader.array(3, 3);
    // `manifestChecks` checks both words.
    const os = reader.text() as CommandLine["os"];
    return { os, shell: reader.text() as CommandLine["shell"], line: reader.text() };
  });
  return { name, lines };
}

function readRun(reader: MsgpackReader): EncodedRun {
  reader.array(3, 3);
  const encoding = reader.text();
  if (encoding !== "zeros")
    throw new ManifestError(`The manifest has chunks of encoding "${encoding}": update flockcast`);
  return { encoding, first: reader.integer(), count: reader.integer() };
}
