/** Builds executables into a folder, and lists their digests in SHA256SUMS. */
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildExecutable, executableName, type RoleName } from "./executable.ts";
import type { BuildTarget } from "./targets.ts";

export const sumsFile = "SHA256SUMS";

/** Builds into `folder`; answers the paths, in the order of targets and roles. */
export async function build(
  targets: readonly BuildTarget[],
  roles: readonly RoleName[],
  folder: string,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const target of targets) {
    for (const role of roles) {
      const file = join(folder, executableName(role, target));
      // A new file instead of new bytes in one that may be running.
      await rm(file, { force: true });
      await buildExecutable(role, target, file);
      await chmod(file, 0o755);
      files.push(file);
    }
  }
  await writeSums(folder);
  return files;
}

/** Lists every executable of the folder, also those of an earlier build for another target. */
async function writeSums(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("flockcast-")).toSorted();
  const lines: string[] = [];
  for (const name of names) {
    const bytes = await Bun.file(join(folder, name)).bytes();
    lines.push(`${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}  ${name}\n`);
  }
  await writeFile(join(folder, sumsFile), lines.join(""));
}
