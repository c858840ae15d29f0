/**
 * Files and folders that no other user may use: data folders, ledgers, catalogs, keys, tokens.
 *
 * Nobody else can put a file or a link into a folder that `ensurePrivateFolder` has accepted. Files
 * in it are created without following links, and replaced by a rename.
 */
import { randomBytes } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { platform } from "./index.ts";
import { retryLocked } from "./locked-files.ts";
import type { AccessRole } from "./platform.ts";

/** A file or folder that other users can use. The message names the remedy. */
export class AccessError extends Error {}

/** Bound on symbolic links in a path, as in Linux. */
const linksMax = 40;
const noFollow = constants.O_NOFOLLOW ?? 0;
const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;

/**
 * Creates a folder that only this user and the system may enter, and its parents. Takes the rights
 * of other users away from an existing one.
 * @param what names the folder in messages, for example "data folder"
 * @param ownNames paths below an existing folder by which it is known; a folder of other
 *   programs, such as /etc, is refused instead of closed to them. Default: any folder is taken
 * @throws AccessError when another user owns the folder, or can write it or one of its parents
 * @throws Error of the file system
 */
export async function ensurePrivateFolder(
  path: string,
  what = "data folder",
  ownNames?: readonly string[],
): Promise<void> {
  const folder = resolve(path);
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Windows ignores the mode, and new folders get the rights of their parent.
  if (first !== undefined)
    for (let each = folder; ; each = dirname(each)) {
      platform.makePrivate(each, "folder");
      if (each === resolve(first) || each === dirname(each)) break;
    }
  const chain = foldersTo(folder);
  const own = chain.pop()!;
  for (const parent of chain)
    assertAccess(parent, "parent", `The ${what} "${folder}" is not safe: the folder "${parent}"`);
  narrow(own, `The ${what} "${folder}"`, ownNames);
}

/** Found in the root of file systems. */
const lostFiles = "lost+found";

/** Where others could put something into the folder, only an empty one is taken. */
function narrow(folder: string, subject: string, ownNames?: readonly string[]): void {
  const problem = platform.accessProblem(folder, "own");
  if (problem === null) {
    if (ownNames !== undefined) assertKnown(folder, ownNames, subject);
    return platform.makePrivate(folder, "folder");
  }
  if (namesIn(folder).length > 0) throw new AccessError(`${subject} ${problem}`);
  platform.makePrivate(folder, "folder");
  if (namesIn(folder).length > 0) throw new AccessError(`${subject} ${problem}`);
  assertAccess(folder, "own", subject);
}

const namesIn = (folder: string): string[] => readdirSync(folder).filter((name) => name !== lostFiles);

function assertKnown(folder: string, ownNames: readonly string[], subject: string): void {
  if (namesIn(folder).length === 0 || ownNames.some((name) => existsSync(join(folder, name)))) return;
  if (platform.isPrivate(folder)) return;
  throw new AccessError(
    `${subject} holds files of other programs, which could not use them any more: name a folder of its own`,
  );
}

/** Returns the folders that lead to the path, those behind links too, and at the end the folder. */
function foldersTo(path: string, links = 0): string[] {
  const parent = dirname(path);
  const before = parent === path ? [] : foldersTo(parent, links);
  if (!lstatSync(path).isSymbolicLink()) return [...before, path];
  assertAccess(path, "link", `The link "${path}"`);
  if (links >= linksMax) throw new AccessError(`"${path}" leads through too many links: use another path`);
  return [...before, ...foldersTo(resolve(realpathSync(parent), readlinkSync(path)), links + 1)];
}

function assertAccess(path: string, role: AccessRole, subject: string, found?: Stats): void {
  const problem = platform.accessProblem(path, role, found);
  if (problem !== null) throw new AccessError(`${subject} ${problem}`);
}

/**
 * Reads a secret: a key, a token. Links are followed, as a person chose the path. Pipes and devices
 * have no mode that counts.
 * @param what names the file in messages, for example "publisher's key"
 * @param readers "group": a group that root chose may read it too
 * @throws AccessError when other users can read or write it
 * @throws Error of the file system, for example with the code ENOENT
 */
export async function readPrivateFile(
  path: string,
  what: string,
  readers: "owner" | "group" = "owner",
): Promise<string> {
  const file = openSync(path, "r");
  try {
    const found = fstatSync(file);
    const role = readers === "group" ? "group-secret" : "secret";
    if (found.isFile()) assertAccess(path, role, `The ${what} "${path}"`, found);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/**
 * Throws for a folder that only another user may read. Without it, what is in the folder would seem
 * to be missing.
 * @throws AccessError
 */
export function assertReadable(folder: string): void {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
  } catch (error) {
    if (codeOf(error) !== "EACCES" && codeOf(error) !== "EPERM") return;
    throw new AccessError(`Only its owner may read "${folder}": run this command as the user of the agent`);
  }
}

/**
 * Replaces a file by one that only this user and the system may use. Durable when it resolves; a
 * crash leaves the old file or the new one. A link at the path is replaced, not followed.
 * @throws Error of the file system
 */
export const writePrivateFile = (path: string, text: string): Promise<void> =>
  retryLocked(async () => writePrivateFileNow(path, text));

/** Does what `writePrivateFile` does, without another try while a scanner has the file open. */
export function writePrivateFileNow(path: string, text: string): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  writeNewFile(draft, text);
  renameSync(draft, path);
  syncFolder(dirname(path));
}

/**
 * Creates a file as `writePrivateFile` does, but never replaces one.
 * @returns whether there was none
 * @throws Error of the file system
 */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  writeNewFile(draft, text);
  try {
    // A link never replaces a file: of two programs that start together one succeeds.
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    // The file system has no hard links.
    await retryLocked(async () => renameSync(draft, path));
    return true;
  } finally {
    rmSync(draft, { force: true });
    syncFolder(dirname(path));
  }
}

function writeNewFile(path: string, text: string): void {
  const file = openPrivateFile(path, constants.O_WRONLY | constants.O_EXCL);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Opens or creates a file for this user alone; follows no link.
 * @param flags of `node:fs`, such as `O_WRONLY | O_TRUNC`
 * @returns a descriptor
 */
export function openPrivateFile(path: string, flags: number): number {
  const file = openSync(path, flags | constants.O_CREAT | noFollow, 0o600);
  try {
    platform.makePrivate(path, "file");
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return file;
}

/** Makes the files in a folder private, without those in its folders. */
export function narrowFiles(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === true) platform.makePrivate(path, "file");
  }
}

/** Side files of a SQLite database. */
const sideFiles = ["-wal", "-shm", "-journal"];

/**
 * Makes a database and its side files private, and creates it if there is none. Does not open an
 * existing one: to close it again would drop the locks that this process has on it.
 * @throws AccessError for something that is not a file, or belongs to another user
 */
export function preparePrivateDatabase(path: string): void {
  try {
    closeSync(openPrivateFile(path, constants.O_WRONLY | constants.O_EXCL));
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  for (const each of [path, ...sideFiles.map((ending) => path + ending)]) {
    const found = lstatSync(each, { throwIfNoEntry: false });
    if (found === undefined) continue;
    if (!found.isFile())
      throw new AccessError(`"${each}" is not a file: remove it if it is not yours, and look who made it`);
    assertAccess(each, "own", `The file "${each}"`);
    platform.makePrivate(each, "file");
  }
}

/** Makes renames in the folder durable. */
export function syncFolder(folder: string): void {
  if (!platform.syncsFolders) return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
