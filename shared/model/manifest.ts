/**
 * Manifest: the entries of a package and the digests that verify its bytes.
 *
 * The bytes of all files are one stream, which chunk-layout.ts cuts into chunks; the functions here
 * map chunks to bytes of the stream and of files. Rules are in manifest-rules.ts, the encoded form
 * in manifest-codec.ts, signatures in signing.ts.
 */
import { chunkLayout, indexAt, type ChunkLayout } from "./chunk-layout.ts";
import { ManifestError } from "./manifest-error.ts";
import type { NamedCommand } from "./package-command.ts";
import type { PackageLink } from "./package-link.ts";
import { formatBinarySize, formatSize } from "./quantity.ts";

/** Upper bound on the encoded manifest: its base64 stays below the 24 MiB body limit of the API. */
export const manifestBytesMax = 16 * 1_048_576;
export const digestBytes = 32;
/**
 * The lower bound keeps manifests small. The upper bound is the memory a receiver may need for one
 * chunk.
 */
export const chunkSizeBytesMin = 1_024;
export const chunkSizeBytesMax = 4 * 1_048_576;
const chunkSizeBytesDefault = 256 * 1_024;
/** Number of chunks above which `chunkSizeFor` doubles the chunk size. */
const chunksTarget = 8_192;
/** Upper bound on files, folders and links together. */
export const entriesMax = 100_000;
/** Chunks whose digests fill the largest manifest. */
export const chunksMax = manifestBytesMax / digestBytes;

export type FileMode = 0o644 | 0o755;
export type ManifestFile = { readonly path: string; readonly sizeBytes: number; readonly mode: FileMode };
/**
 * How a chunk is represented. "plain": its bytes. "zeros": not at all; it contains zeros only, and
 * is never fetched or sent.
 */
export type ChunkEncoding = "plain" | "zeros";
/** A run of chunks whose encoding is not "plain". */
export type EncodedRun = {
  readonly encoding: Exclude<ChunkEncoding, "plain">;
  readonly first: number;
  readonly count: number;
};
export type Manifest = {
  readonly format: 2;
  readonly name: string;
  readonly version: string;
  readonly files: readonly ManifestFile[];
  /** Folders without entries; other folders follow from the paths of their entries. */
  readonly folders: readonly string[];
  readonly links: readonly PackageLink[];
  readonly commands: readonly NamedCommand[];
  /** Size of all files. */
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  /** SHA-256 digests of all chunks, concatenated. */
  readonly chunkDigests: Uint8Array;
  /** In order; chunks in no run are plain. */
  readonly encodings: readonly EncodedRun[];
};

/** The fields on which the chunks depend. */
export type ChunkedFiles = {
  readonly files: readonly Pick<ManifestFile, "path" | "sizeBytes">[];
  readonly chunkSizeBytes: number;
};

const layouts = new WeakMap<ChunkedFiles, ChunkLayout>();

function layoutOf(manifest: ChunkedFiles): ChunkLayout {
  let layout = layouts.get(manifest);
  if (layout === undefined) {
    layout = chunkLayout(manifest.files, manifest.chunkSizeBytes, chunksMax);
    layouts.set(manifest, layout);
  }
  return layout;
}

export const chunkCount = (manifest: ChunkedFiles): number => layoutOf(manifest).chunkStarts.length - 1;

/** Returns the offset of a chunk in the stream, bytes. */
export const chunkOffset = (manifest: ChunkedFiles, chunk: number): number =>
  layoutOf(manifest).chunkStarts[chunk]!;

/** Returns the length of a chunk in bytes; 0 outside the package. */
export function chunkLength(manifest: ChunkedFiles, chunk: number): number {
  const { chunkStarts } = layoutOf(manifest);
  return chunk >= 0 && chunk < chunkStarts.length - 1 ? chunkStarts[chunk + 1]! - chunkStarts[chunk]! : 0;
}

/** Returns the chunk that contains a byte of the stream. */
export const chunkAt = (manifest: ChunkedFiles, offset: number): number =>
  indexAt(layoutOf(manifest).chunkStarts, offset);

/** Returns a view of the 32-byte digest of a chunk. */
export const chunkDigest = (manifest: Pick<Manifest, "chunkDigests">, chunk: number): Uint8Array =>
  manifest.chunkDigests.subarray(chunk * digestBytes, (chunk + 1) * digestBytes);

/**
 * Returns the chunk size for a package: 256 KiB, doubled until there are at most 8,192 chunks, and
 * 4 MiB at most.
 * @throws ManifestError for a package that is too large
 * @param before chunk size of the version before, which is kept up to a factor of four, so that
 * unchanged files have unchanged chunks
 */
export function chunkSizeFor(totalBytes: number, before: number | null = null): number {
  let sizeBytes = chunkSizeBytesDefault;
  while (sizeBytes < chunkSizeBytesMax && totalBytes / sizeBytes > chunksTarget) sizeBytes *= 2;
  if (totalBytes > chunksMax * sizeBytes) throw new ManifestError(sizeProblem(totalBytes, sizeBytes));
  if (before === null) return sizeBytes;
  return before <= 4 * sizeBytes && before >= sizeBytes / 4 ? before : sizeBytes;
}

/** Returns a sentence on a package that has more chunks than a manifest can list. */
export const sizeProblem = (sizeBytes: number, chunkSizeBytes: number): string =>
  `The package has ${formatSize(sizeBytes)}. In chunks of ${formatBinarySize(chunkSizeBytes)} a package has at most ` +
  `${formatSize(chunksMax * chunkSizeBytes)}: divide it into several`;

/** Part of one file. */
export type FileSpan = {
  /** Index in `manifest.files`. */
  readonly file: number;
  readonly fileOffset: number;
  readonly length: number;
};

/** Returns the numbers of the chunks that hold bytes of a file, in order. */
export function chunksOfFile(manifest: Manifest, file: number): number[] {
  const { sizeBytes } = manifest.files[file]!;
  if (sizeBytes === 0) return [];
  const start = layoutOf(manifest).fileStarts[file]!;
  const chunks: number[] = [];
  for (let chunk = chunkAt(manifest, start); chunk <= chunkAt(manifest, start + sizeBytes - 1); chunk++)
    chunks.push(chunk);
  return chunks;
}

/**
 * Returns the parts of files that hold `length` bytes of the stream from `offset` on. Empty files
 * have no part.
 */
export function fileSpans(manifest: Manifest, offset: number, length: number): FileSpan[] {
  const starts = layoutOf(manifest).fileStarts;
  const end = Math.min(offset + length, manifest.sizeBytes);
  const spans: FileSpan[] = [];
  let at = offset;
  for (let file = Math.max(0, indexAt(starts, offset)); file < starts.length && at < end; file++) {
    const fileOffset = at - starts[file]!;
    const inFile = Math.min(manifest.files[file]!.sizeBytes - fileOffset, end - at);
    if (inFile <= 0) continue;
    spans.push({ file, fileOffset, length: inFile });
    at += inFile;
  }
  return spans;
}

/** Returns the files that hold bytes of the chunks, by index, each once. */
export const filesOfChunks = (manifest: Manifest, chunks: readonly number[]): number[] => [
  ...new Set(
    chunks.flatMap((chunk) =>
      fileSpans(manifest, chunkOffset(manifest, chunk), chunkLength(manifest, chunk)).map(({ file }) => file),
    ),
  ),
];

const pathsNamedMax = 3;
/** Returns the paths of the first three files, for a message. */
export const pathsOfFiles = (manifest: Manifest, files: readonly number[]): string[] =>
  files.slice(0, pathsNamedMax).map((file) => manifest.files[file]!.path);

/** Returns the runs of chunks that are zeros. */
export function zeroRuns(isZeros: Iterable<boolean>): EncodedRun[] {
  const runs: { encoding: "zeros"; first: number; count: number }[] = [];
  let chunk = 0;
  for (const zeros of isZeros) {
    const last = runs.at(-1);
    if (zeros && last !== undefined && last.first + last.count === chunk) last.count++;
    else if (zeros) runs.push({ encoding: "zeros", first: chunk, count: 1 });
    chunk++;
  }
  return runs;
}
