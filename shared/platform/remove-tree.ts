/** Removes a folder with everything in it. The recursive removal of Bun fails under Wine. */
import { lstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { retryLocked } from "./locked-files.ts";

/**
 * Does nothing when the folder is missing. Follows no link.
 * @throws Error of the file system
 */
export async function removeTree(folder: string): Promise<void> {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory()) return retryLocked(async () => unlinkSync(folder));
  for (const name of readdirSync(folder)) await removeTree(join(folder, name));
  await retryLocked(async () => rmdirSync(folder));
}
