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
 * Executables for this machine that `scripts/build.ts` put into `folder`.
 * @throws Error when this machine is not among the targets
 */
export function programsFromFolder(folder: string): Programs {
  const target = buildTargets.find(({ name }) => name === nativeTargetName());
  if (!target) throw new Error(`No executables are built for this machine (${nativeTargetName()})`);
  return { commandOf: (role) => [join(folder, executableName(role, target))] };
}
