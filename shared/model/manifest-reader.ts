/**
 * Reads the fields of an encoded manifest. No rule is checked (manifest-rules.ts has them): a
 * browser compares the fields with what it asked for. Pure.
 */
import { chunksMax, entriesMax, type EncodedRun, type Manifest, type ManifestFile } from "./manifest.ts";
import { ManifestError } from "./manifest-error.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { commandsMax, operatingSystems, type CommandLine, type NamedCommand } from "./package-command.ts";
import type { PackageLink } from "./package-link.ts";

/** Entries read between two pauses. */
const entriesPerStep = 4_000;

/**
 * Reads a manifest without pauses.
 * @throws ManifestError for bytes that are not a manifest in canonical form
 */
export function readManifest(bytes: Uint8Array): Manifest {
  const steps = readingManifest(bytes);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** As `readManifest`, with a pause after some entries. */
export function* readingManifest(bytes: Uint8Array): Generator<void, Manifest> {
  const reader = new MsgpackReader(bytes);
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
