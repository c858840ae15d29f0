/**
 * Checks that code for browsers imports nothing that only a server has: from the pages of the
 * console, only pure modules and the listed packages are reachable. Imports of types are erased.
 */
import { dirname, join, normalize } from "node:path";

const pagesFolder = "shared/source/console/pages/";
/** Pure modules outside the model that run in browsers too. */
const sharedModules: ReadonlySet<string> = new Set([
  "shared/hidden-characters.ts",
  "shared/source/permissions.ts",
]);
const packages: ReadonlySet<string> = new Set([
  "@preact/signals",
  "ipaddr.js",
  "preact",
  "preact/hooks",
  "pretty-bytes",
  "uplot",
  "valibot",
]);

const importPattern =
  /^(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)/gm;

const isCode = (path: string): boolean => /\.tsx?$/.test(path);
const isForBrowsers = (path: string): boolean =>
  path.startsWith(pagesFolder) || path.startsWith("shared/model/") || sharedModules.has(path);

/**
 * Returns one sentence for each import that a browser cannot have.
 * @param files path from the project's root → text
 */
export function browserProblems(files: ReadonlyMap<string, string>): string[] {
  const waiting = [...files.keys()].filter(
    (path) => path.startsWith(pagesFolder) && isCode(path) && !path.endsWith(".test.ts"),
  );
  const seen = new Set(waiting);
  const problems: string[] = [];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    for (const [, from, dynamic] of (files.get(path) ?? "").matchAll(importPattern)) {
      const specifier = from ?? dynamic ?? "";
      const isFile = specifier.startsWith(".");
      const target = isFile ? normalize(join(dirname(path), specifier)) : specifier;
      if (isFile ? !isForBrowsers(target) : !packages.has(target))
        problems.push(`${path} imports ${target}, and is code for browsers: import its type only`);
      else if (isFile && isCode(target) && !seen.has(target)) {
        seen.add(target);
        waiting.push(target);
      }
    }
  }
  return problems;
}
