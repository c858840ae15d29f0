/**
 * Manifest: the files of a package and the digests that verify them.
 *
 * A package is one virtual stream of bytes: its files in manifest order, one after the other. Chunk
 * i is the bytes from i × `chunkSizeBytes` on, so a chunk may span files. Manifests come from the
 * network: `decodeManifest` returns a manifest that satisfies every rule below or throws a
 * ManifestError. Signatures are in signing.ts.
 */
import { createHash } from "node:crypto";
import { Encoder } from "@msgpack/msgpack";
import { ManifestError } from "./manifest-error.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { formatBinarySize, formatSize } from "./quantity.ts";
import {
  comparePaths,
  packageNameProblem,
  pathConflict,
  pathProblem,
  versionProblem,
} from "./package-path.ts";

export { ManifestError } from "./manifest-error.ts";

/** Upper bound on the encoded manifest: its base64 stays below the 24 MiB body limit of the API. */
const manifestBytesMax = 16 * 1_048_576;
export const filesMax = 100_000;
const urlLengthMax = 2_048;
export const digestBytes = 32;
/**
 * The lower bound keeps manifests small. The upper bound is the memory a receiver may need for one
 * chunk.
 */
const chunkSizeBytesMin = 1_024;
export const chunkSizeBytesMax = 4 * 1_048_576;
const chunkSizeBytesDefault = 256 * 1_024;
/** Number of chunks above which `chunkSizeFor` doubles the chunk size. */
const chunksTarget = 8_192;
/** Chunks whose digests fill the largest manifest. */
const chunksMax = manifestBytesMax / digestBytes;

export type FileMode = 0o644 | 0o755;
export type ManifestFile = { readonly path: string; readonly sizeBytes: number; readonly mode: FileMode };
export type ManifestOrigin =
  | { readonly kind: "source" }
  | { readonly kind: "url"; readonly url: string; readonly layout: "file" | "folder" };
export type Manifest = {
  readonly format: 1;
  readonly name: string;
  readonly version: string;
  readonly files: readonly ManifestFile[];
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  /** SHA-256 digests of all chunks, concatenated. */
  readonly chunkDigests: Uint8Array;
  readonly origin: ManifestOrigin;
};

/**
 * Encodes a manifest canonically: arrays in a fixed order and the shortest msgpack forms. Equal
 * manifests give equal bytes.
 *
 * @throws ManifestError when the manifest breaks a rule or is larger than `manifestBytesMax`
 */
export function encodeManifest(manifest: Manifest): Uint8Array {
  checkManifest(manifest);
  const bytes = encodeFields(manifest);
  if (bytes.length > manifestBytesMax) {
    throw new ManifestError(
      `The manifest of "${manifest.name}" has ${bytes.length} bytes, more than ${manifestBytesMax}: publish fewer files`,
    );
  }
  return bytes;
}

function encodeFields(manifest: Manifest): Uint8Array {
  const { origin, files, chunkDigests } = manifest;
  // A guess: the buffer grows where paths are longer.
  const initialBufferSize = 1_024 + chunkDigests.length + 64 * files.length;
  return new Encoder({ initialBufferSize }).encode([
    manifest.format,
    manifest.name,
    manifest.version,
    manifest.sizeBytes,
    manifest.chunkSizeBytes,
    manifest.files.map((file) => [file.path, file.sizeBytes, file.mode]),
    manifest.chunkDigests,
    origin.kind === "source" ? ["source"] : ["url", origin.url, origin.layout],
  ]);
}

/**
 * Decodes and checks a manifest.
 *
 * @throws ManifestError for bytes that are not a manifest, break a rule or are not in canonical
 * form
 */
export function decodeManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > manifestBytesMax) {
    throw new ManifestError(`The manifest has ${bytes.length} bytes, more than ${manifestBytesMax}`);
  }
  const manifest = readManifest(new MsgpackReader(bytes));
  checkManifest(manifest);
  // One package has one id: another encoding of equal fields would be a second package.
  if (Buffer.compare(encodeFields(manifest), bytes) !== 0) {
    throw new ManifestError("The manifest is not in canonical form");
  }
  return manifest;
}

function readManifest(reader: MsgpackReader): Manifest {
  reader.array(8, 8);
  const format = reader.integer();
  if (format !== 1) {
    throw new ManifestError(
      `The manifest has format ${format}, this version reads format 1: update flockcast`,
    );
  }
  const name = reader.text();
  const version = reader.text();
  const sizeBytes = reader.integer();
  const chunkSizeBytes = reader.integer();
  const files = Array.from({ length: reader.array(0, filesMax) }, (): ManifestFile => {
    reader.array(3, 3);
    // `checkManifest` checks the value of the mode.
    return { path: reader.text(), sizeBytes: reader.integer(), mode: reader.integer() as FileMode };
  });
  const chunkDigests = reader.binary();
  const fields = reader.array(1, 3);
  const kind = reader.text();
  if (kind === "source" && fields === 1) {
    return { format, name, version, files, sizeBytes, chunkSizeBytes, chunkDigests, origin: { kind } };
  }
  if (kind !== "url" || fields !== 3) throw new ManifestError(`The manifest's origin "${kind}" is unknown`);
  const url = reader.text();
  const layout = reader.text();
  if (layout !== "file" && layout !== "folder") {
    throw new ManifestError(`The manifest's layout "${layout}" is unknown`);
  }
  const origin = { kind, url, layout } as const;
  return { format, name, version, files, sizeBytes, chunkSizeBytes, chunkDigests, origin };
}

function checkManifest(manifest: Manifest): void {
  const nameFault = packageNameProblem(manifest.name);
  if (nameFault) throw new ManifestError(`The package name "${manifest.name}" cannot be used: ${nameFault}`);
  const versionFault = versionProblem(manifest.version);
  if (versionFault)
    throw new ManifestError(`The version "${manifest.version}" cannot be used: ${versionFault}`);
  checkFiles(manifest.files);
  checkSizes(manifest);
  checkOrigin(manifest);
}

function checkFiles(files: readonly ManifestFile[]): void {
  if (files.length > filesMax) {
    throw new ManifestError(`The package has ${files.length} files, more than ${filesMax}`);
  }
  for (const [index, file] of files.entries()) {
    const problem = pathProblem(file.path);
    if (problem) throw new ManifestError(`The path "${file.path}" cannot be used: ${problem}`);
    if (file.mode !== 0o644 && file.mode !== 0o755) {
      throw new ManifestError(`The mode ${file.mode} of "${file.path}" is neither 0644 nor 0755`);
    }
    if (index > 0 && comparePaths(files[index - 1]!.path, file.path) > 0) {
      throw new ManifestError(`The path "${file.path}" is not in byte order`);
    }
  }
  const conflict = pathConflict(files.map((file) => file.path));
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
  const chunks = chunkCount(manifest);
  if (chunks > chunksMax) throw new ManifestError(sizeProblem(manifest));
  if (chunkDigests.length !== chunks * digestBytes) {
    throw new ManifestError(
      `The manifest has ${chunkDigests.length} bytes of digests, ${chunks} chunks need ${chunks * digestBytes}`,
    );
  }
}

const sizeProblem = ({ sizeBytes, chunkSizeBytes }: Pick<Manifest, "sizeBytes" | "chunkSizeBytes">): string =>
  `The package has ${formatSize(sizeBytes)}. In chunks of ${formatBinarySize(chunkSizeBytes)} a package has at most ` +
  `${formatSize(chunksMax * chunkSizeBytes)}: divide it into several`;

function checkOrigin({ origin, files }: Manifest): void {
  if (origin.kind === "source") return;
  const problem = originUrlProblem(origin.url);
  if (problem) throw new ManifestError(`The URL of the package cannot be used: ${problem}`);
  if (origin.layout === "file" && files.length !== 1) {
    throw new ManifestError(`The layout "file" needs exactly one file, the package has ${files.length}`);
  }
}

/**
 * Returns why devices cannot download from `url`, or null. The sentence quotes the URL only when it
 * contains no secret.
 */
export function originUrlProblem(url: string): string | null {
  if (url.length > urlLengthMax) return `it is longer than ${urlLengthMax} characters`;
  const parsed = URL.parse(url);
  if (!parsed) return `"${url}" is not a URL: write for example https://web.example/setup.exe`;
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    return `"${parsed.protocol}" is neither http: nor https:`;
  }
  if (parsed.username || parsed.password) return "it contains credentials; every device would read them";
  if (parsed.hash) return `"${parsed.hash}" is never sent to a web site: leave it out`;
  return null;
}

/** Returns the package id: SHA-256 of the encoded manifest, in hex. */
export const packageId = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export const chunkCount = (manifest: Pick<Manifest, "sizeBytes" | "chunkSizeBytes">): number =>
  Math.ceil(manifest.sizeBytes / manifest.chunkSizeBytes);

export const chunkOffset = (manifest: Pick<Manifest, "chunkSizeBytes">, chunk: number): number =>
  chunk * manifest.chunkSizeBytes;

/** Returns the length of a chunk in bytes; the last one may be shorter. 0 outside the package. */
export const chunkLength = (
  manifest: Pick<Manifest, "sizeBytes" | "chunkSizeBytes">,
  chunk: number,
): number =>
  chunk < 0
    ? 0
    : Math.max(0, Math.min(manifest.chunkSizeBytes, manifest.sizeBytes - chunk * manifest.chunkSizeBytes));

/** Returns a view of the 32-byte digest of a chunk. */
export const chunkDigest = (manifest: Pick<Manifest, "chunkDigests">, chunk: number): Uint8Array =>
  manifest.chunkDigests.subarray(chunk * digestBytes, (chunk + 1) * digestBytes);

/**
 * Returns the chunk size for a package: 256 KiB, doubled until there are at most 8,192 chunks, and
 * 4 MiB at most.
 */
export function chunkSizeFor(totalBytes: number): number {
  let sizeBytes = chunkSizeBytesDefault;
  while (sizeBytes < chunkSizeBytesMax && totalBytes / sizeBytes > chunksTarget) sizeBytes *= 2;
  if (totalBytes > chunksMax * sizeBytes)
    throw new ManifestError(sizeProblem({ sizeBytes: totalBytes, chunkSizeBytes: sizeBytes }));
  return sizeBytes;
}

/** Part of one file. */
export type FileSpan = {
  /** Index in `manifest.files`. */
  readonly file: number;
  readonly fileOffset: number;
  readonly length: number;
};

const fileStartsCache = new WeakMap<Manifest, Float64Array>();

/** Returns the offset of each file in the stream. */
function fileStarts(manifest: Manifest): Float64Array {
  let starts = fileStartsCache.get(manifest);
  if (!starts) {
    starts = new Float64Array(manifest.files.length);
    let offset = 0;
    for (const [index, file] of manifest.files.entries()) {
      starts[index] = offset;
      offset += file.sizeBytes;
    }
    fileStartsCache.set(manifest, starts);
  }
  return starts;
}

/** Returns the numbers of the chunks that hold bytes of a file, in order. */
export function chunksOfFile(manifest: Manifest, file: number): number[] {
  const start = fileStarts(manifest)[file]!;
  const end = start + manifest.files[file]!.sizeBytes;
  const { chunkSizeBytes } = manifest;
  const chunks: number[] = [];
  if (end === start) return chunks;
  for (let chunk = Math.floor(start / chunkSizeBytes); chunk * chunkSizeBytes < end; chunk++)
    chunks.push(chunk);
  return chunks;
}

/**
 * Returns the parts of files that hold `length` bytes of the stream from `offset` on. Empty files
 * have no part.
 */
export function fileSpans(manifest: Manifest, offset: number, length: number): FileSpan[] {
  const starts = fileStarts(manifest);
  const end = Math.min(offset + length, manifest.sizeBytes);
  const spans: FileSpan[] = [];
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  let at = offset;
  for (let file = Math.max(0, low - 1); file < starts.length && at < end; file++) {
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
