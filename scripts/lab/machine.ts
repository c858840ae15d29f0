/**
 * Checks the machine before anything is built: Linux, root, programs. Removes what stale runs left.
 */
import { stat } from "node:fs/promises";
import { UsageError } from "../rig/cleanup.ts";
import { removeStaleRuns } from "./stale-runs.ts";

/** Programs that every lab needs → Debian package. */
export const labPrograms: Readonly<Record<string, string>> = {
  ip: "iproute2",
  tc: "iproute2",
  curl: "curl",
  nginx: "nginx-light",
};

/**
 * @param programs program → Debian package
 * @param packagePath file or folder to distribute, if one was given
 * @throws UsageError with what to do
 */
export async function prepareMachine(
  programs: Readonly<Record<string, string>>,
  packagePath: string | undefined,
): Promise<void> {
  if (process.platform !== "linux")
    throw new UsageError(
      `The lab needs Linux with network namespaces: this machine runs ${process.platform}`,
    );
  if (process.getuid?.() !== 0)
    throw new UsageError("The lab makes network namespaces: run it as root (sudo)");
  for (const [program, packageName] of Object.entries(programs)) {
    if (!Bun.which(program))
      throw new UsageError(`The lab needs "${program}": apt-get install ${packageName}`);
  }
  if (packagePath !== undefined && !(await stat(packagePath).catch(() => null)))
    throw new UsageError(`Cannot distribute "${packagePath}": there is no such file or folder`);
  for (const runId of await removeStaleRuns()) console.error(`Removed what run ${runId} left behind.`);
}
