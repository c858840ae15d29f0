/**
 * Names of files in comments and documents: each must exist, so that the rename of a file includes
 * them. Only names that end in .ts, .tsx, .mjs or .wat are checked. The end of a path is enough.
 */
const mentioned = /(?<![\w./*-])(?:\.{0,2}\/)?((?:[\w.-]+\/)*[\w-][\w.-]*\.(?:tsx?|mjs|wat))\b/g;

/** Returns the comments of a program, one after the other. */
const commentsOf = (text: string): string =>
  [...text.matchAll(/\/\*[\s\S]*?\*\/|(?<![:"'`])\/\/.*|;;.*/g)].map(([comment]) => comment).join("\n");

const isChecked = (path: string): boolean =>
  /\.(tsx?|mjs|wat|md)$/.test(path) && !path.endsWith(".test.ts") && !path.startsWith("docs/stories/");

/**
 * Returns one sentence for each named file that does not exist.
 * @param files path from the project's root → text
 */
export function mentionProblems(files: ReadonlyMap<string, string>): string[] {
  const names = new Set([...files.keys()].flatMap((path) => suffixesOf(path)));
  const problems: string[] = [];
  for (const [path, text] of files) {
    if (!isChecked(path)) continue;
    const checked = path.endsWith(".md") ? text : commentsOf(text);
    for (const [, name] of checked.matchAll(mentioned))
      if (!names.has(name!)) problems.push(`${path} names "${name}", which is not a file of the project`);
  }
  return problems;
}

/** Returns the ends of a path: "core/peer.ts" → "core/peer.ts", "peer.ts". */
function suffixesOf(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(index).join("/"));
}
