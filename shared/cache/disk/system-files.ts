/** Implements the file system of the cache (files.ts) with the operating system. */
import { constants } from "node:fs";
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
} from "node:fs/promises";
import { dirname, sep } from "node:path";
import { platform } from "../../platform/index.ts";
import { retryLocked } from "../../platform/locked-files.ts";
import { errorCode, isMissing } from "../cache-error.ts";
import type { Files } from "../files.ts";
import { DiskPace, stateOf, SystemFile } from "./system-file.ts";

/** @param locksOpenFiles whether operations wait while another program has their file open */
export function systemFiles(locksOpenFiles = platform.locksOpenFiles): Files {
  const pace = new DiskPace();
  const retry = <T>(action: () => Promise<T>): Promise<T> => retryLocked(action, locksOpenFiles);
  return {
    open: (path, access) => retry(() => SystemFile.open(path, access, pace)),
    readFile: (path) => retry(() => readFile(path)),
    async replaceFile(path, bytes) {
      const draft = `${path}.new`;
      const handle = await retry(() => open(draft, "w", 0o644));
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await retry(() => rename(draft, path));
      await syncFolder(dirname(path));
    },
    async entryAt(path) {
      try {
        const found = await lstat(path, { bigint: true });
        const kind = found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
        return { kind, ...stateOf(found) };
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
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
    remove: (path) => retry(() => rm(path, { recursive: true, force: true })),
    removeEmptyFolder: (path) => rmdir(path).catch(() => {}),
    async space(path) {
      const { blocks, bavail, bsize } = await statfs(path);
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    },
  };
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
