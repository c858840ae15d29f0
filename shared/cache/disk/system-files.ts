/** Implements the file system of the cache (files.ts) with the operating system. */
import { constants, lstatSync } from "node:fs";
import {
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  statfs,
  symlink,
  unlink,
} from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { platform } from "../../platform/index.ts";
import { retryLocked } from "../../platform/locked-files.ts";
import { errorCode, isMissing } from "../cache-error.ts";
import type { FileEntry, Files } from "../files.ts";
import { DiskPace, stateOf, SystemFile } from "./system-file.ts";

/** Number of files from which one sync of the whole disk is cheaper than one of each file. */
const manyFiles = 16;

/** @param locksOpenFiles whether operations wait while another program has their file open */
export function systemFiles(locksOpenFiles = platform.locksOpenFiles): Files {
  const pace = new DiskPace();
  const retry = <T>(action: () => Promise<T>): Promise<T> => retryLocked(action, locksOpenFiles);
  return {
    open: (path, access, mode) => retry(() => SystemFile.open(path, access, mode, pace)),
    readFile: (path) => retry(() => readFile(path)),
    async replaceFile(path, bytes) {
      const draft = `${path}.new`;
      // No link at the draft's place is followed.
      await retry(() => rm(draft, { force: true }));
      const handle = await retry(() => open(draft, "wx", 0o600));
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await retry(() => rename(draft, path));
      await syncFolder(dirname(path));
    },
    entryAt: (path) => entryAt(path, pace),
    async linkAt(path) {
      try {
        return (await readlink(path)).replaceAll(sep, "/");
      } catch (error) {
        if (isMissing(error) || errorCode(error) === "EINVAL" || errorCode(error) === "UNKNOWN") return null;
        throw error;
      }
    },
    async makeLink(target, path) {
      await mkdir(dirname(path), { recursive: true });
      await symlink(target.replaceAll("/", sep), path);
    },
    listFolder: (path) => readdir(path),
    async makeFolder(path) {
      await mkdir(path, { recursive: true });
    },
    rename: (from, to) => retry(() => rename(from, to)),
    syncFolder,
    async syncDisk(path, files) {
      return files >= manyFiles && (await platform.syncFileSystem(path));
    },
    remove: (path) => removeTree(path, retry),
    removeEmptyFolder: (path) => rmdir(path).catch(() => {}),
    async space(path) {
      const { blocks, bavail, bsize } = await statfs(path);
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    },
  };
}

async function entryAt(path: string, pace: DiskPace): Promise<FileEntry | null> {
  try {
    const found = await pace.calls.call(
      () => lstatSync(path, { bigint: true, throwIfNoEntry: false }),
      () => lstat(path, { bigint: true }),
    );
    if (found === undefined) return null;
    const kind = found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
    return { kind, ...stateOf(found) };
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/**
 * Removes entry by entry, so that only what another program has open is tried again. Does not
 * follow links. Bun's recursive `rm` is not used: under Wine 8 it always fails with EFAULT.
 */
async function removeTree(
  path: string,
  retry: (action: () => Promise<void>) => Promise<void>,
): Promise<void> {
  try {
    if (!(await lstat(path)).isDirectory()) return await retry(() => unlink(path));
    for (const name of await readdir(path)) await removeTree(join(path, name), retry);
    await retry(() => rmdir(path));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  if (!platform.syncsFolders) return;
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
