/**
 * Checks that only shared/platform reads which operating system the program runs on, so that
 * differences between systems have one place. Checks also that no program waits for another one
 * with a blocked event loop: a process may take seconds to start.
 */

/** Returns whether the rules apply. Scripts and tests that need Linux check for it themselves. */
const isProduct = (path: string): boolean =>
  /^(shared|roles)\/.*\.tsx?$/.test(path) && !path.endsWith(".test.ts");

/**
 * Returns one sentence for each rule that a file of the product breaks.
 * @param files path from the project's root → text
 */
export function platformProblems(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([path, text]) => {
    if (!isProduct(path)) return [];
    const problems: string[] = [];
    if (/\b(spawn|exec|execFile)Sync\b/.test(text))
      problems.push(`${path} blocks until a process ends: start the process without waiting`);
    if (!path.startsWith("shared/platform/") && /process\.platform|os\.platform\(\)/.test(text))
      problems.push(`${path} reads the operating system: move the code to shared/platform`);
    return problems;
  });
}
