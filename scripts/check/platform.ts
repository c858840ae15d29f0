/** The operating system is asked for in shared/platform alone, so that a system's peculiarities have one place. */

/** Scripts and tests prepare Linux machines, and say so where they run on another system. */
const isProduct = (path: string): boolean =>
  /^(shared|roles)\/.*\.ts$/.test(path) && !path.endsWith(".test.ts");

/** @param files path from the project's root → text. Returns one sentence for each file that asks elsewhere. */
export function platformProblems(files: ReadonlyMap<string, string>): string[] {
  return [...files]
    .filter(([path]) => isProduct(path) && !path.startsWith("shared/platform/"))
    .filter(([, text]) => /process\.platform|os\.platform\(\)/.test(text))
    .map(([path]) => `${path} asks which system it runs on: move the question to shared/platform`);
}
