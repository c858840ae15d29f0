/**
 * Gets programs that a test starts from Debian packages, where that is possible: installs the
 * package, or takes the one program out of it.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { outputOf, runToEnd } from "./process.ts";

/** Upper bound on one call, for machines whose package server does not answer. */
const aptSeconds = 150;

/** Held during a call: files of tests run side by side, and apt-get does not wait for all locks. */
const lockFile = "/run/lock/flockcast-apt";

const apt = (...words: string[]) => {
  const command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60", ...words];
  return runToEnd(["flock", lockFile, "timeout", String(aptSeconds), ...command], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
};

/**
 * Installs the packages of missing programs with apt-get. Lists of packages are updated only if a
 * package cannot be installed without that.
 * @param programs name of each program, or path of a file → Debian package
 * @returns why a program is missing; null when all are there
 */
export async function installPrograms(programs: Readonly<Record<string, string>>): Promise<string | null> {
  const missing = (): string[] => Object.keys(programs).filter((program) => !isThere(program));
  if (missing().length === 0) return null;
  if (process.getuid?.() !== 0 || !Bun.which("apt-get")) return `${missing().join(", ")} not installed`;
  const packages = missing().map((program) => programs[program]!);
  const install = () => apt("install", "-y", "--no-install-recommends", ...packages);
  let done = await install();
  if (done.status !== 0) {
    await apt("update");
    done = await install();
  }
  if (missing().length === 0) return null;
  const reason = done.stderr.trim().split("\n").at(-1) ?? "";
  return `apt-get cannot install ${packages.join(", ")}: ${reason}`;
}

const isThere = (program: string): boolean =>
  program.startsWith("/") ? existsSync(program) : Bun.which(program) !== null;

/** Folder of programs that were taken out of packages; `.gitignore` has it with node_modules. */
const unpackedFolder = join(import.meta.dir, "..", "..", "node_modules", ".cache", "flockcast-debian");

export type FoundProgram = { readonly path: string } | { readonly missing: string };

/**
 * Takes one program out of a Debian package, without its dependencies, services and users. The file
 * stays for later runs. Needs no root, unless the lists of packages are missing.
 * @param path of the program in the package, such as `usr/bin/promtool`
 */
export async function unpackProgram(packageName: string, path: string): Promise<FoundProgram> {
  const installed = Bun.which(basename(path));
  if (installed !== null) return { path: installed };
  const kept = join(unpackedFolder, basename(path));
  if (existsSync(kept)) return { path: kept };
  if (!Bun.which("apt-get") || !Bun.which("dpkg-deb"))
    return { missing: `${basename(path)} not installed, and no apt-get to get it with` };
  await mkdir(unpackedFolder, { recursive: true });
  const folder = await mkdtemp(join(unpackedFolder, "new-"));
  try {
    let done = await download(folder, packageName);
    if (done.status !== 0 && process.getuid?.() === 0) {
      await apt("update");
      done = await download(folder, packageName);
    }
    const file = (await readdir(folder)).find((name) => name.endsWith(".deb"));
    if (file === undefined)
      return { missing: `apt-get cannot download ${packageName}: ${done.stderr.trim().split("\n").at(-1)}` };
    await outputOf(["dpkg-deb", "-x", join(folder, file), join(folder, "files")]);
    await rename(join(folder, "files", path), kept);
    return { path: kept };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** apt-get downloads to its working folder. */
const download = (folder: string, packageName: string) => {
  const script = 'cd "$1" && exec apt-get -qq download "$2"';
  return runToEnd(["timeout", String(aptSeconds), "sh", "-c", script, "sh", folder, packageName]);
};
