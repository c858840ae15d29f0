/** Installs Debian packages of programs that a test starts, where that is possible. */
import { runToEnd } from "./process.ts";

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
 * @param programs name or path of each program → Debian package
 * @returns why a program is missing; null when all are there
 */
export async function installPrograms(programs: Readonly<Record<string, string>>): Promise<string | null> {
  const missing = (): string[] => Object.keys(programs).filter((program) => !Bun.which(program));
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
