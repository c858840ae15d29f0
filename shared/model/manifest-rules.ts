/** Rules of manifests. Publishers, the source and devices check them with the same code. */
import {
  chunkCount,
  chunkDigest,
  chunkLength,
  chunksMax,
  chunkSizeBytesMax,
  chunkSizeBytesMin,
  digestBytes,
  entriesMax,
  sizeProblem,
  type Manifest,
} from "./manifest.ts";
import { ManifestError } from "./manifest-error.ts";
import { commandProblem } from "./package-command.ts";
import { linkProblems } from "./package-link.ts";
import {
  comparePaths,
  packageNameProblem,
  PathConflicts,
  pathProblem,
  versionProblem,
} from "./package-path.ts";
import { zerosDigest } from "./zeros-digest.ts";

/** Entries, and characters of their paths, between two pauses of `manifestChecks`. */
const entriesPerStep = 2_000;
const charactersPerStep = 65_536;
/** Zeros digested between two pauses. */
const zerosPerStepBytes = 16 * 1_048_576;

/**
 * Checks a manifest. Pauses (`yield`) only after a few thousand entries, so that the caller can let
 * other work run.
 * @throws ManifestError that names the first rule broken
 */
export function* manifestChecks(manifest: Manifest): Generator<void, void> {
  const nameFault = packageNameProblem(manifest.name);
  if (nameFault) throw new ManifestError(`The package name "${manifest.name}" cannot be used: ${nameFault}`);
  const versionFault = versionProblem(manifest.version);
  if (versionFault)
    throw new ManifestError(`The version "${manifest.version}" cannot be used: ${versionFault}`);
  yield* entryChecks(manifest);
  checkSizes(manifest);
  if (manifest.files.length >= entriesPerStep) yield;
  yield* encodingChecks(manifest);
  const command = commandProblem(manifest.commands);
  if (command) throw new ManifestError(`Wrong commands: ${command}`);
}

function* entryChecks({ files, folders, links }: Manifest): Generator<void, void> {
  const count = files.length + folders.length + links.length;
  if (count > entriesMax) {
    throw new ManifestError(
      `The package has ${count} entries, more than ${entriesMax}: pack them into one archive`,
    );
  }
  for (const file of files) {
    if (file.mode !== 0o644 && file.mode !== 0o755)
      throw new ManifestError(`The mode ${file.mode} of "${file.path}" is neither 0644 nor 0755`);
  }
  const conflicts = new PathConflicts();
  yield* pathChecks(files, (path) => conflicts.add({ path, kind: "file" }));
  yield* pathChecks(links, (path) => conflicts.add({ path, kind: "link" }));
  // From the last one on: a folder in a folder makes that one an implied folder.
  yield* pathChecks(
    folders.map((path) => ({ path })),
    () => null,
  );
  for (const [index, path] of folders.toReversed().entries()) {
    refuse(conflicts.add({ path, kind: "folder" }));
    if (index % entriesPerStep === entriesPerStep - 1) yield;
  }
  const wrongLinks = yield* linkProblems(links);
  if (wrongLinks.length > 0) throw new ManifestError(`Links cannot be used: ${wrongLinks.join("; ")}`);
}

/** @param conflictOf returns a sentence on the path's conflict with another one, or null */
function* pathChecks(
  entries: readonly { readonly path: string }[],
  conflictOf: (path: string) => string | null,
): Generator<void, void> {
  let characters = 0;
  for (const [index, { path }] of entries.entries()) {
    const problem = pathProblem(path);
    if (problem) throw new ManifestError(`The path "${path}" cannot be used: ${problem}`);
    const isInOrder = index === 0 || comparePaths(entries[index - 1]!.path, path) <= 0;
    if (!isInOrder) throw new ManifestError(`The path "${path}" is not in byte order`);
    refuse(conflictOf(path));
    characters += path.length;
    if (index % entriesPerStep < entriesPerStep - 1 && characters < charactersPerStep) continue;
    characters = 0;
    yield;
  }
}

function refuse(conflict: string | null): void {
  if (conflict) throw new ManifestError(`The paths do not fit one folder: ${conflict}`);
}

function checkSizes(manifest: Manifest): void {
  const { chunkSizeBytes, chunkDigests } = manifest;
  if (
    !Number.isInteger(Math.log2(chunkSizeBytes)) ||
    chunkSizeBytes < chunkSizeBytesMin ||
    chunkSizeBytes > chunkSizeBytesMax
  ) {
    throw new ManifestError(
      `The chunk size ${chunkSizeBytes} is not a power of two from ${chunkSizeBytesMin} to ${chunkSizeBytesMax}`,
    );
  }
  let total = 0;
  for (const file of manifest.files) {
    total += file.sizeBytes;
    if (!Number.isSafeInteger(file.sizeBytes) || file.sizeBytes < 0 || !Number.isSafeInteger(total)) {
      throw new ManifestError(`The size ${file.sizeBytes} of "${file.path}" cannot be used`);
    }
  }
  if (total !== manifest.sizeBytes) {
    throw new ManifestError(`The files add up to ${total} bytes, the manifest states ${manifest.sizeBytes}`);
  }
  const chunks = total > chunksMax * chunkSizeBytes ? chunksMax + 1 : chunkCount(manifest);
  if (chunks > chunksMax) throw new ManifestError(sizeProblem(total, chunkSizeBytes));
  if (chunkDigests.length !== chunks * digestBytes) {
    throw new ManifestError(
      `The manifest has ${chunkDigests.length} bytes of digests, ${chunks} chunks need ${chunks * digestBytes}`,
    );
  }
}

function* encodingChecks(manifest: Manifest): Generator<void, void> {
  const chunks = chunkCount(manifest);
  let end = -1;
  let digestedBytes = 0;
  let lastLength = 0;
  for (const { encoding, first, count } of manifest.encodings) {
    // Neighbouring runs of one encoding are one run: equal packages have one encoded form.
    if (first <= end || count < 1 || first + count > chunks)
      throw new ManifestError(`The chunks ${first}+${count} of encoding "${encoding}" cannot be used`);
    end = first + count;
    for (let chunk = first; chunk < end; chunk++) {
      const length = chunkLength(manifest, chunk);
      const expected = zerosDigest(length);
      if (Buffer.compare(expected, chunkDigest(manifest, chunk)) !== 0)
        throw new ManifestError(`Chunk ${chunk} is named as zeros, its digest is of other bytes`);
      digestedBytes += digestBytes + (length === lastLength ? 0 : length);
      lastLength = length;
      if (digestedBytes < zerosPerStepBytes) continue;
      digestedBytes = 0;
      yield;
    }
  }
}
