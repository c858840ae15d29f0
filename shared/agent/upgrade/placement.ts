/**
 * Puts a new executable in the place of the running one. Each step can be repeated after a power
 * cut. The old executable stays as EXE.previous.
 *
 * POSIX systems replace the file in one step. Windows cannot overwrite the file of a running
 * program, but renames it: for a moment no file has the name.
 */
import { constants, existsSync } from "node:fs";
import { copyFile, link, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { platform } from "../../platform/index.ts";
import { retryLocked } from "../../platform/locked-files.ts";
import { syncFolder } from "../../platform/private-files.ts";
import { namedBeside, pathsBeside } from "./executable.ts";

const executableBits = 0o111;
/** Old executables that are kept because a process still runs them, as Windows requires. */
const previousMax = 8;

/**
 * Copies `from` next to the executable, with the executable's mode. Synced when it resolves.
 * @throws Error of the file system
 */
export async function copyNext(from: string, executable: string): Promise<string> {
  const { next } = pathsBeside(executable);
  const { mode } = await stat(executable);
  // A file that runs cannot be written: a new one takes its name.
  await retryLocked(() => rm(next, { force: true }));
  await copyFile(from, next, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  const file = await open(next, "r+");
  try {
    if (!platform.locksOpenFiles) await file.chmod((mode & 0o7777) | executableBits);
    await file.sync();
  } finally {
    await file.close();
  }
  syncFolder(dirname(executable));
  return next;
}

/** Removes the copy of `copyNext`, if there is one. */
export const discardNext = (executable: string): Promise<void> =>
  retryLocked(() => rm(pathsBeside(executable).next, { force: true }));

/**
 * Puts the copy in place. Does nothing if that was done.
 * @param locksOpenFiles whether a running executable cannot be replaced in one step
 * @throws Error of the file system; the old executable is then in its place
 */
export async function place(executable: string, locksOpenFiles = platform.locksOpenFiles): Promise<void> {
  const { next, previous } = pathsBeside(executable);
  if (!existsSync(next)) return;
  if (locksOpenFiles) return exchange(executable, next, await freeName(executable));
  await rm(previous, { force: true });
  // A file system without hard links, such as FAT, gets a copy.
  await link(executable, previous).catch(() => copyFile(executable, previous));
  await rename(next, executable);
  syncFolder(dirname(executable));
}

async function exchange(executable: string, next: string, previous: string): Promise<void> {
  if (existsSync(executable)) await retryLocked(() => rename(executable, previous));
  try {
    await retryLocked(() => rename(next, executable));
  } catch (error) {
    await retryLocked(() => rename(previous, executable));
    throw error;
  }
}

const previousNames = (executable: string): string[] =>
  Array.from({ length: previousMax }, (_, number) =>
    namedBeside(executable, number === 0 ? "previous" : `previous-${number}`),
  );

/** Removes what upgrades left next to an executable. A file that a process still runs stays. */
export async function removeLeftovers(executable: string): Promise<void> {
  for (const path of [pathsBeside(executable).next, ...previousNames(executable)])
    await retryLocked(() => rm(path, { force: true })).catch(() => {});
}

/** Returns a name for the old executable. A process may still run that of an earlier upgrade. */
async function freeName(executable: string): Promise<string> {
  for (const name of previousNames(executable)) {
    const isFree = await rm(name, { force: true }).then(
      () => true,
      () => false,
    );
    if (isFree) return name;
  }
  throw new Error(
    `${previousMax} earlier executables beside "${executable}" are in use: restart the machine`,
  );
}
