/** Builds executables into a folder, with their bill of materials and SHA256SUMS. */
import { chmod, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { signForWindows } from "./code-signature.ts";
import { buildExecutable, executableName, type BuildChanges, type RoleName } from "./executable.ts";
import { writeSums } from "./sums.ts";
import type { BuildTarget } from "./targets.ts";

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
      if (target.suffix === ".exe") await signForWindows(changes.signProgram, file);
      await chmod(file, 0o755);
      files.push(file);
    }
  }
  await writeSums(folder);
  return files;
}
