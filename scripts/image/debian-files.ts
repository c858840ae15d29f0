/** Files of Debian packages: downloaded by apt-get into a folder and unpacked, not installed. */
import { mkdir, readdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "../rig/process.ts";

async function outputOf(command: readonly string[], cwd?: string): Promise<string> {
  const words = cwd === undefined ? command : ["env", "-C", cwd, ...command];
  const { status, stdout, stderr } = await runToEnd(words);
  if (status === 0) return stdout;
  throw new Error(`"${command.join(" ")}" ended with status ${status}: ${stderr.trim()}`);
}

/**
 * Returns the folder with the files of a package; downloads it the first time.
 * @throws Error when apt-get or dpkg-deb is missing or fails
 */
export async function filesOf(packageName: string, cache: string): Promise<string> {
  for (const program of ["apt-get", "dpkg-deb"])
    if (Bun.which(program) === null) throw new Error(`${program} is missing: build on Debian or Ubuntu`);
  const folder = join(cache, packageName);
  const files = join(folder, "files");
  if (existsSync(files)) return files;
  await mkdir(folder, { recursive: true });
  const archive = async (): Promise<string | undefined> =>
    (await readdir(folder)).find((name) => name.endsWith(".deb"));
  if ((await archive()) === undefined) await outputOf(["apt-get", "-qq", "download", packageName], folder);
  const found = await archive();
  if (found === undefined) throw new Error(`apt-get downloaded no file of ${packageName}`);
  await outputOf(["dpkg-deb", "-x", join(folder, found), `${files}.new`]);
  await outputOf(["mv", `${files}.new`, files]);
  return files;
}

/** Returns the package of the newest kernel of a kind. */
export async function kernelPackage(kind: "generic" | "cloud"): Promise<string> {
  const meta = kind === "cloud" ? "linux-image-cloud-amd64" : "linux-image-amd64";
  const found = /Depends: (linux-image-\S+)/.exec(await outputOf(["apt-cache", "depends", meta]))?.[1];
  if (found === undefined) throw new Error(`apt-cache knows no package ${meta}: run apt-get update`);
  return found;
}
