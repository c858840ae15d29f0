/**
 * A minimal Debian with systemd in a folder, made by mmdebstrap from the package servers that this
 * machine's apt uses. Needs root, and takes seconds with a near server.
 */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { outputOf } from "./process.ts";

/** Program → Debian package. */
export const imagePrograms: Readonly<Record<string, string>> = { mmdebstrap: "mmdebstrap" };

const aptFolder = "/etc/apt";
/** Limit for servers that do not answer. */
const limitSeconds = 600;

/**
 * Makes the image in a folder that does not exist yet.
 * @param packages in addition to the essential ones
 * @throws Error with the output of mmdebstrap
 */
export async function makeDebianImage(
  folder: string,
  packages: readonly string[] = ["systemd", "passwd"],
): Promise<void> {
  const release = await readFile("/etc/os-release", "utf8");
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (suite === undefined) throw new Error("/etc/os-release names no VERSION_CODENAME: not a Debian");
  await outputOf([
    "timeout",
    String(limitSeconds),
    "mmdebstrap",
    "--quiet",
    "--mode=root",
    "--variant=essential",
    `--include=${packages.join(",")}`,
    suite,
    folder,
    ...(await sourcesOf(suite)),
  ]);
}

/** Returns the files of apt that name the release; others are of further vendors. */
async function sourcesOf(suite: string): Promise<string[]> {
  const parts = join(aptFolder, "sources.list.d");
  const names = existsSync(parts) ? (await readdir(parts)).toSorted() : [];
  const files = [join(aptFolder, "sources.list"), ...names.map((name) => join(parts, name))];
  const found: string[] = [];
  for (const file of files.filter((each) => /\.(list|sources)$/.test(each) && existsSync(each)))
    if (new RegExp(`\\b${suite}\\b`).test(await readFile(file, "utf8"))) found.push(file);
  return found;
}
