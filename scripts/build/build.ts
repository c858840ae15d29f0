/** Builds executables into a folder and lists their digests in SHA256SUMS. */
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildExecutable, executableName, type BuildChanges, type RoleName } from "./executable.ts";
import type { BuildTarget } from "./targets.ts";

export const sumsFile = "SHA256SUMS";

/**
 * Builds every role for every target into `folder`.
 * @returns paths of the executables, in the order of targets and roles
 * @throws Error with the message of `bun build`
 */
export async function build(
  targets: readonly BuildTarget[],
  roles: readonly RoleName[],
  folder: string,
  changes: BuildChanges = {},
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const target of targets) {
    for (const role of roles) {
      const file = join(folder, executableName(role, target));
      // An executable that is running must not be overwritten: unlink it and create a new file.
      await rm(file, { force: true });
      await buildExecutable(role, target, file, changes);
      await chmod(file, 0o755);
      files.push(file);
    }
  }
  await writeSums(folder);
  return files;
}

/**
 * Writes the digests of every executable in the folder, also of earlier builds for other targets.
 */
async function writeSums(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("flockcast-")).toSorted();
  const lines: string[] = [];
  for (const name of names) {
    const bytes = await Bun.file(join(folder, name)).bytes();
    lines.push(`${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}  ${name}\n`);
  }
  await writeFile(join(folder, sumsFile), lines.join(""));
}
