/**
 * Checks that the programs write to standard output and standard error in one file only, which
 * escapes text from outside (shared/standard-output.ts).
 */

/** Returns whether the rule applies. Scripts print for the developer who runs them. */
const isProduct = (path: string): boolean =>
  /^(shared|roles)\/.*\.ts$/.test(path) && !/(\.test|\/testing(-\w+)?)\.ts$/.test(path);

const isComment = (line: string): boolean => /^\s*(\/?\*|\/\/)/.test(line);

/**
 * Returns one sentence for each file that writes elsewhere.
 * @param files path from the project's root → text
 */
export const outputProblems = (files: ReadonlyMap<string, string>): string[] =>
  [...files].flatMap(([path, text]) => {
    if (!isProduct(path) || path === "shared/standard-output.ts") return [];
    const code = text
      .split("\n")
      .filter((line) => !isComment(line))
      .join("\n");
    return /\bstd(out|err)\s*\.write\(|\bconsole\.(log|info|warn|error|debug)\(|\bBun\.std(out|err)\b/.test(
      code,
    )
      ? [`${path} writes to the terminal: call a function of shared/standard-output.ts, which escapes`]
      : [];
  });
