/** Command lines of the three role programs: from source with Bun, or as standalone executables. */
import { join } from "node:path";
import { executableName, type RoleName } from "../build/executable.ts";
import { buildTargets, nativeTargetName } from "../build/targets.ts";

const root = join(import.meta.dir, "..", "..");

export type Programs = { readonly commandOf: (role: RoleName) => readonly string[] };

export const programsFromSource: Programs = {
  commandOf: (role) => [process.execPath, "--use-system-ca", join(root, "roles", `${role}.ts`)],
};

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
