/** Command lines of the three role programs: from source with Bun, or as standalone executables. */
import { devNull } from "node:os";
import { join } from "node:path";
import { executableName, type RoleName } from "../build/executable.ts";
import { buildTargets, nativeTargetName } from "../build/targets.ts";

const root = join(import.meta.dir, "..", "..");

export type Programs = { readonly commandOf: (role: RoleName) => readonly string[] };

/** Words of Bun as docs/OPERATIONS.md has them: no file of the working folder takes part. */
const fixedWords = ["--use-system-ca", "--no-env-file", `--config=${devNull}`];

/** @param words further ones of Bun */
const sourcePrograms = (...words: readonly string[]): Programs => ({
  commandOf: (role) => [process.execPath, ...fixedWords, ...words, join(root, "roles", `${role}.ts`)],
});
export const programsFromSource: Programs = sourcePrograms();
/** Loads a file before the program, which a test changes the program with. */
export const programsWithPreload = (file: string): Programs => sourcePrograms(`--preload=${file}`);

/**
 * Executables that `scripts/build.ts` put into `folder`.
 * @param targetName target of the executables
 * @param launcher words before the path of an executable, such as those of an emulator
 * @throws Error when the target is unknown
 */
export function programsFromFolder(
  folder: string,
  targetName = nativeTargetName(),
  launcher: readonly string[] = [],
): Programs {
  const target = buildTargets.find(({ name }) => name === targetName);
  if (!target) throw new Error(`No executables are built for ${targetName}`);
  return { commandOf: (role) => [...launcher, join(folder, executableName(role, target))] };
}
