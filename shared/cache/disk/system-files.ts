/** Implements the file system of the cache (files.ts) with the operating system. */
import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, readFile, rename, rm, rmdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { platform } from "../../platform/index.ts";
import { isMissing } from "../cache-error.ts";
import type { Files } from "../files.ts";
import { DiskPace, stateOf, SystemFile } from "./system-file.ts";

export function systemFiles(): Files {
  const pace = new DiskPace();
  return {
    open: (path, access) => SystemFile.open(path, access, pace),
    readFile: (path) => readFile(path),
    async replaceFile(path, bytes) {
      const draft = `${path}.new`;
      const handle = await open(draft, "w", 0o644);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, path);
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
    listFolder: (path) => readdir(path),
    async makeFolder(path) {
      await mkdir(path, { recursive: true });
    },
    rename,
    syncFolder,
    remove: (path) => rm(path, { recursive: true, force: true }),
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
