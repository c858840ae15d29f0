/**
 * Makes the manifest of a file, a folder or a URL that an administrator publishes.
 *
 * Bytes are streamed, so a 20 GB image needs no 20 GB of memory. Refused by name are symbolic
 * links, sockets, names that Windows refuses, and files that change while they are read. Left out
 * without a message are empty folders. The executable bit is that of the publisher's file system;
 * files from Windows or a URL have none. Signing is in model/signing.ts; the caller stores the
 * bytes.
 */
import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { ChunkDigester } from "./chunk-digester.ts";
import {
  chunkCount,
  chunkSizeFor,
  encodeManifest,
  filesMax,
  ManifestError,
  type FileMode,
  type Manifest,
  type ManifestFile,
} from "../../model/manifest.ts";
import { packageUrlProblem, redactUrl } from "../../model/package-url.ts";
import { comparePaths, packageNameProblem, pathProblem, versionProblem } from "../../model/package-path.ts";
import { fileNameOf, openUrl, type UrlContent } from "./url-response.ts";

export type DigestOptions = {
  readonly name: string;
  readonly version: string;
  /** Chunk size; default: the one that follows from the size. */
  readonly chunkSizeBytes?: number;
  readonly signal?: AbortSignal;
  /** Called with the bytes digested so far, and with the total or null. */
  readonly onProgress?: (doneBytes: number, totalBytes: number | null) => void;
};
export type Digested = { readonly manifest: Manifest; readonly bytes: Uint8Array };

export type DigestedUrl = Digested & {
  readonly content: Pick<UrlContent, "lastUrl" | "type" | "isEndProven">;
};

const readBytes = 1_048_576;

type Found = { readonly path: string; readonly absolute: string; readonly stats: Stats };

/**
 * Digests a file or folder.
 *
 * @throws ManifestError that names the file and what is wrong with it
 */
export async function digestPath(path: string, options: DigestOptions): Promise<Digested> {
  checkNames(options);
  const found = await findFiles(path);
  const files = found.map(({ path: name, stats }): ManifestFile => {
    const mode: FileMode = (stats.mode & 0o111) !== 0 ? 0o755 : 0o644;
    return { path: name, sizeBytes: stats.size, mode };
  });
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const digester = new ChunkDigester(options.chunkSizeBytes ?? chunkSizeFor(sizeBytes));
  const buffer = new Uint8Array(readBytes);
  for (const file of found) await digestFile(file, digester, buffer, sizeBytes, options);
  return finish(files, digester, options);
}

/**
 * Digests the file at `url`, which is read once. The file is named by Content-Disposition, by the
 * last part of the URL or, when neither is a valid file name, by the package.
 *
 * @throws ManifestError for an invalid URL, a failed request or a body that ends early
 */
export async function digestUrl(url: string, options: DigestOptions): Promise<DigestedUrl> {
  checkNames(options);
  const problem = packageUrlProblem(url);
  if (problem) throw new ManifestError(`Cannot publish the URL: ${problem}`);
  const content = await openUrl(url, options.signal);
  const { totalBytes } = content;
  const known = options.chunkSizeBytes ?? (totalBytes === null ? null : chunkSizeFor(totalBytes));
  const digester = new ChunkDigester(known);
  for await (const bytes of content.body) {
    digester.update(bytes);
    options.onProgress?.(digester.totalBytes, totalBytes);
  }
  if (totalBytes !== null && digester.totalBytes !== totalBytes) {
    throw new ManifestError(
      `${redactUrl(url)} announced ${totalBytes} bytes and sent ${digester.totalBytes}: try again, or check the web site`,
    );
  }
  const path = fileNameOf(url, content.disposition, options.name);
  const files: ManifestFile[] = [{ path, sizeBytes: digester.totalBytes, mode: 0o644 }];
  return { ...finish(files, digester, options), content };
}

function checkNames({ name, version }: Pick<DigestOptions, "name" | "version">): void {
  const nameFault = packageNameProblem(name);
  if (nameFault) throw new ManifestError(`The package name "${name}" cannot be used: ${nameFault}`);
  const versionFault = versionProblem(version);
  if (versionFault) throw new ManifestError(`The version "${version}" cannot be used: ${versionFault}`);
}

function finish(
  files: readonly ManifestFile[],
  digester: ChunkDigester,
  options: Pick<DigestOptions, "name" | "version">,
): Digested {
  const { chunkSizeBytes, chunkDigests } = digester.finish();
  const sizeBytes = digester.totalBytes;
  if (chunkCount({ sizeBytes, chunkSizeBytes }) * 32 !== chunkDigests.length) {
    throw new ManifestError(
      "The package changed while it was read: publish it again when nothing writes to it",
    );
  }
  const manifest: Manifest = {
    format: 1,
    name: options.name,
    version: options.version,
    files,
    sizeBytes,
    chunkSizeBytes,
    chunkDigests,
  };
  return { manifest, bytes: encodeManifest(manifest) };
}

async function findFiles(root: string): Promise<Found[]> {
  let stats: Stats;
  let absolute: string;
  try {
    // The administrator named the root, so it may be a link. No link below it is followed.
    absolute = await realpath(root);
    stats = await stat(absolute);
  } catch (error) {
    throw new ManifestError(`Cannot publish "${root}": ${(error as Error).message}`, { cause: error });
  }
  const found: Found[] = [];
  if (stats.isFile()) found.push({ path: basename(root), absolute, stats });
  else if (stats.isDirectory()) await findBelow(absolute, "", found);
  else throw new ManifestError(`Cannot publish "${root}": it is neither a file nor a folder`);
  for (const { path } of found) {
    const problem = pathProblem(path);
    if (problem) throw new ManifestError(`Cannot publish "${path}": ${problem}; rename it`);
  }
  return found.toSorted((a, b) => comparePaths(a.path, b.path));
}

async function findBelow(folder: string, prefix: string, found: Found[]): Promise<void> {
  for (const name of await readdir(folder)) {
    const absolute = join(folder, name);
    const path = prefix + name;
    const stats = await lstat(absolute);
    if (stats.isSymbolicLink()) {
      throw new ManifestError(`Cannot publish "${path}": it is a symbolic link; replace it with its target`);
    }
    if (stats.isDirectory()) await findBelow(absolute, `${path}/`, found);
    else if (stats.isFile()) found.push({ path, absolute, stats });
    else throw new ManifestError(`Cannot publish "${path}": it is a device, pipe or socket; remove it`);
    if (found.length > filesMax) {
      throw new ManifestError(
        `Cannot publish "${folder}": more than ${filesMax} files; pack them into one archive`,
      );
    }
  }
}

async function digestFile(
  file: Found,
  digester: ChunkDigester,
  buffer: Uint8Array,
  totalBytes: number,
  options: DigestOptions,
): Promise<void> {
  // O_NOFOLLOW: the file may have been replaced by a link since it was listed.
  const handle = await open(file.absolute, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(
    (error: Error) => {
      throw new ManifestError(`Cannot read "${file.path}": ${error.message}`, { cause: error });
    },
  );
  try {
    if (!same(await handle.stat(), file.stats)) throw changed(file);
    let done = 0;
    for (;;) {
      options.signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, done);
      if (bytesRead === 0) break;
      done += bytesRead;
      digester.update(buffer.subarray(0, bytesRead));
      options.onProgress?.(digester.totalBytes, totalBytes);
    }
    if (done !== file.stats.size || !same(await handle.stat(), file.stats)) throw changed(file);
  } finally {
    await handle.close();
  }
}

const same = (a: Stats, b: Stats): boolean => a.size === b.size && a.mtimeMs === b.mtimeMs && a.ino === b.ino;

const changed = (file: Found): ManifestError =>
  new ManifestError(`"${file.path}" changed while it was read: publish it again when nothing writes to it`);
