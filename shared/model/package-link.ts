/**
 * Symbolic links in a package: their targets are relative and stay inside the package, also when
 * other links of the package are on the way. Pure: the file system is not asked.
 */
import { foldPath, pathProblem } from "./package-path.ts";

export type PackageLink = { readonly path: string; readonly target: string };

const targetBytesMax = 1_024;
/** Links that one path may pass, as on Linux; more are a loop. */
const linksPassedMax = 40;

/** Parts of targets followed between two pauses, and in all. */
const partsPerStep = 2_000;
const partsMax = 1_000_000;

/** Wrong links that are named; more would fill a screen. */
const namedMax = 3;

/**
 * Returns sentences on links that a package cannot have, at most three. Pauses after some work.
 * @param links of one package
 */
export function* linkProblems(links: readonly PackageLink[]): Generator<void, string[]> {
  const count = { parts: 0 };
  const byPath = new Map(links.map((link) => [foldPath(link.path), link]));
  const problems: string[] = [];
  for (const { path, target } of links) {
    const problem = targetProblem(target) ?? (yield* escapeProblem(path, target, byPath, count));
    if (problem === null) continue;
    problems.push(`the link "${path}" leads to "${target}": ${problem}`);
    if (problems.length === namedMax) break;
  }
  return problems;
}

function targetProblem(target: string): string | null {
  if (target === "") return "it is empty";
  if (target.startsWith("/") || /^[A-Za-z]:/.test(target)) return "it is absolute; use a relative target";
  if (Buffer.byteLength(target) > targetBytesMax) return `it is longer than ${targetBytesMax} bytes`;
  const named = target.split("/").filter((part) => part !== "." && part !== "..");
  // "a//b" and "a/" are other spellings of "a/b" and "a".
  if (named.includes("")) return "it has an empty part";
  return named.length === 0 ? null : pathProblem(named.join("/"));
}

/**
 * Follows the link step by step, as a file system does.
 * @param byPath links by folded path
 * @param count parts of targets that were followed
 */
function* escapeProblem(
  path: string,
  target: string,
  byPath: ReadonlyMap<string, PackageLink>,
  count: { parts: number },
): Generator<void, string | null> {
  const at = path.split("/").slice(0, -1);
  const ahead = target.split("/").toReversed();
  let passed = 0;
  while (ahead.length > 0) {
    const part = ahead.pop()!;
    if (++count.parts > partsMax) return "the links of the package have too many parts to follow";
    if (count.parts % partsPerStep === 0) yield;
    if (part === ".") continue;
    if (part === "..") {
      if (at.length === 0) return "that is outside the package";
      at.pop();
      continue;
    }
    at.push(part);
    const passes = at.join("/");
    const next = byPath.get(foldPath(passes));
    if (next === undefined) continue;
    // Only systems that ignore case follow it, so that the path would have two meanings.
    if (next.path !== passes) return `it names the link "${next.path}" as "${passes}"`;
    if (++passed >= linksPassedMax) return "links lead to each other without end";
    at.pop();
    ahead.push(...next.target.split("/").toReversed());
  }
  return null;
}
