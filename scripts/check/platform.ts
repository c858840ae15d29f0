/**
 * Checks that only shared/platform reads which operating system the program runs on, so that
 * differences between systems have one place.
 */

/** Returns whether the rule applies. Scripts and tests that need Linux check for it themselves. */
const isProduct = (path: string): boolean =>
  /^(shared|roles)\/.*\.ts$/.test(path) && !path.endsWith(".test.ts");

/**
 * Returns one sentence for each other file that reads the operating system.
 * @param files path from the project's root → text
 */
export function platformProblems(files: ReadonlyMap<string, string>): string[] {
  return [...files]
    .filter(([path]) => isProduct(path) && !path.startsWith("shared/platform/"))
    .filter(([, text]) => /process\.platform|os\.platform\(\)/.test(text))
    .map(([path]) => `${path} reads the operating system: move the code to shared/platform`);
}
