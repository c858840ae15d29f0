/**
 * Names of the files of a release, as `bun run build -- --target all` and `bun run package` make
 * them.
 */
import { billFile } from "../build/bill-of-materials.ts";
import { executableName, roleNames } from "../build/executable.ts";
import { signatureFile, sumsFile } from "../build/sums.ts";
import { buildTargets } from "../build/targets.ts";
import { packageFileNames } from "../package/make-packages.ts";

/** Returns the names that SHA256SUMS of a release has, sorted. */
export const artifactNames = (version: string): string[] =>
  [
    ...buildTargets.flatMap((target) => roleNames.map((role) => executableName(role, target))),
    ...packageFileNames(version),
    billFile,
  ].toSorted();

/** Files of the sums, which the sums do not have. */
export const sumFiles = [sumsFile, signatureFile] as const;

/**
 * Compares the names in the text of SHA256SUMS with those of a release.
 * @throws Error that names what is missing and what is unexpected
 */
export function checkArtifacts(version: string, sums: string): void {
  const made = new Set(sums.split("\n").flatMap((line) => line.split("  ")[1] ?? []));
  const wanted = new Set(artifactNames(version));
  const missing = [...wanted].filter((name) => !made.has(name));
  const unexpected = [...made].filter((name) => !wanted.has(name));
  const problems = [
    ...(missing.length > 0 ? [`not made: ${missing.join(", ")}`] : []),
    ...(unexpected.length > 0 ? [`not expected: ${unexpected.join(", ")}`] : []),
  ];
  if (problems.length > 0) throw new Error(`The files of the release are wrong: ${problems.join("; ")}`);
}
