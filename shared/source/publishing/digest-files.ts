/**
 * Makes the manifest of a file, a folder or a URL that an administrator publishes.
 *
 * Bytes are streamed, so a 20 GB image needs no 20 GB of memory. Refused by name are links that
 * leave the package, sockets, names that Windows refuses, and files that change while they are
 * read. The executable bit is that of the publisher's file system; files from Windows or a URL have
 * none. Hard links become separate files; owners, times and extended attributes are not kept.
 * Signing is in model/signing.ts; the caller stores the bytes.
 */
import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { ChunkDigester, isComplete } from "./chunk-digester.ts";
import {
  chunkSizeFor,
  entriesMax,
  type FileMode,
  type Manifest,
  type ManifestFile,
} from "../../model/manifest.ts";
import { encodeManifestInTurns } from "../../model/manifest-codec.ts";
import { ManifestError } from "../../model/manifest-error.ts";
import type { NamedCommand } from "../../model/package-command.ts";
import { linkProblems, type PackageLink } from "../../model/package-link.ts";
import { inTurns } from "../../model/steps.ts";
import { packageUrlProblem, redactUrl } from "../../model/package-url.ts";
import { comparePaths, packageNameProblem, pathProblem, versionProblem } from "../../model/package-path.ts";
import type { SiteFetch } from "../../net/web/site-fetch.ts";
import { fileNameOf, openUrl, type UrlContent } from "./url-response.ts";

export type DigestOptions = {
  readonly name: string;
  readonly version: string;
  readonly commands?: readonly NamedCommand[];
  /** Chunk size of the version before; null or absent: there is none. */
  readonly chunkSizeBytesBefore?: number | null;
  readonly signal?: AbortSignal;
  /** Sends the requests to the web site; default: Bun's fetch does. */
  readonly siteFetch?: SiteFetch;
  /** Called with the bytes digested so far, and with the total or null. */
  readonly onProgress?: (doneBytes: number, totalBytes: number | null) => void;
};
export type Digested = { readonly manifest: Manifest; readonly bytes: Uint8Array };

export type DigestedUrl = Digested & {
  readonly content: Pick<UrlContent, "lastUrl" | "type" | "isEndProven">;
};

const readBytes = 1_048_576;

type Found = { readonly path: string; readonly absolute: string; readonly stats: Stats };
type Entries = { readonly files: Found[]; readonly folders: string[]; readonly links: PackageLink[] };

/**
 * Digests a file or folder.
 *
 * @throws ManifestError that names the entry and what is wrong with it
 */
export async function digestPath(path: string, options: DigestOptions): Promise<Digested> {
  checkNames(options);
  const entries = await findEntries(path);
  const files = entries.files.map(({ path: name, stats }): ManifestFile => {
    const mode: FileMode = (stats.mode & 0o111) !== 0 ? 0o755 : 0o644;
    return { path: name, sizeBytes: stats.size, mode };
  });
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const chunked = { files, chunkSizeBytes: chunkSizeFor(sizeBytes, options.chunkSizeBytesBefore) };
  const digester = new ChunkDigester(chunked);
  const buffer = new Uint8Array(readBytes);
  for (const file of entries.files) await digestFile(file, digester, buffer, sizeBytes, options);
  return finish({ ...entries, files }, digester, options);
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
  const content = await openUrl(url, options.signal, options.siteFetch);
  const { totalBytes } = content;
  const path = fileNameOf(url, content.disposition, options.name);
  const digester = new ChunkDigester(
    totalBytes === null
      ? null
      : {
          files: [{ path, sizeBytes: totalBytes }],
          chunkSizeBytes: chunkSizeFor(totalBytes, options.chunkSizeBytesBefore),
        },
  );
  for await (const bytes of content.body) {
    digester.update(bytes);
    options.onProgress?.(digester.totalBytes, totalBytes);
  }
  if (totalBytes !== null && digester.totalBytes !== totalBytes) {
    throw new ManifestError(
      `${redactUrl(url)} announced ${totalBytes} bytes and sent ${digester.totalBytes}: try again, or check the web site`,
    );
  }
  const files: ManifestFile[] = [{ path, sizeBytes: digester.totalBytes, mode: 0o644 }];
  return { ...(await finish({ files, folders: [], links: [] }, digester, options)), content };
}

function checkNames({ name, version }: Pick<DigestOptions, "name" | "version">): void {
  const nameFault = packageNameProblem(name);
  if (nameFault) throw new ManifestError(`The package name "${name}" cannot be used: ${nameFault}`);
  const versionFault = versionProblem(version);
  if (versionFault) throw new ManifestError(`The version "${version}" cannot be used: ${versionFault}`);
}

async function finish(
  entries: Pick<Manifest, "files" | "folders" | "links">,
  digester: ChunkDigester,
  options: Pick<DigestOptions, "name" | "version" | "commands">,
): Promise<Digested> {
  const { files, folders, links } = entries;
  const digests = digester.finish();
  if (!isComplete(digests, { files, chunkSizeBytes: digests.chunkSizeBytes })) {
    throw new ManifestError(
      "The package changed while it was read: publish it again when nothing writes to it",
    );
  }
  const manifest: Manifest = {
    format: 2,
    name: options.name,
    version: options.version,
    files,
    folders,
    links,
    commands: options.commands ?? [],
    sizeBytes: digester.totalBytes,
    ...digests,
  };
  return { manifest, bytes: await encodeManifestInTurns(manifest) };
}

async function findEntries(root: string): Promise<Entries> {
  let stats: Stats;
  let absolute: string;
  try {
    // The administrator named the root, so it may be a link. No link below it is followed.
    absolute = await realpath(root);
    stats = await stat(absolute);
  } catch (error) {
    throw new ManifestError(`Cannot publish "${root}": ${(error as Error).message}`, { cause: error });
  }
  const entries: Entries = { files: [], folders: [], links: [] };
  if (stats.isFile()) entries.files.push({ path: basename(root), absolute, stats });
  else if (stats.isDirectory()) await findBelow(absolute, "", entries);
  else throw new ManifestError(`Cannot publish "${root}": it is neither a file nor a folder`);
  const { files, folders, links } = entries;
  for (const path of [...files.map((each) => each.path), ...folders, ...links.map((each) => each.path)]) {
    const problem = pathProblem(path);
    if (problem) throw new ManifestError(`Cannot publish "${path}": ${problem}; rename it`);
  }
  const wrongLinks = await inTurns(linkProblems(links));
  if (wrongLinks.length > 0)
    throw new ManifestError(
      `Cannot publish "${root}": ${wrongLinks.join("; ")}. Replace them with their targets`,
    );
  return {
    files: files.toSorted(byPath),
    folders: folders.toSorted(comparePaths),
    links: links.toSorted(byPath),
  };
}

const byPath = (a: { readonly path: string }, b: { readonly path: string }): number =>
  comparePaths(a.path, b.path);

async function findBelow(folder: string, prefix: string, entries: Entries): Promise<void> {
  const names = await readdir(folder);
  if (names.length === 0 && prefix !== "") entries.folders.push(prefix.slice(0, -1));
  for (const name of names) {
    const absolute = join(folder, name);
    const path = prefix + name;
    const stats = await lstat(absolute).catch((error: Error) => {
      const problem = pathProblem(path) ?? error.message;
      throw new ManifestError(`Cannot publish "${path}": ${problem}`, { cause: error });
    });
    if (stats.isSymbolicLink()) entries.links.push({ path, target: await linkTarget(absolute) });
    else if (stats.isDirectory()) await findBelow(absolute, `${path}/`, entries);
    else if (stats.isFile()) entries.files.push({ path, absolute, stats });
    else throw new ManifestError(`Cannot publish "${path}": it is a device, pipe or socket; remove it`);
    if (entries.files.length + entries.folders.length + entries.links.length > entriesMax) {
      throw new ManifestError(
        `Cannot publish "${folder}": more than ${entriesMax} files; pack them into one archive`,
      );
    }
  }
}

/** Windows writes targets with backslashes. */
const linkTarget = async (path: string): Promise<string> => (await readlink(path)).replaceAll(sep, "/");

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
