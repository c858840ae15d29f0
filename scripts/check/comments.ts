/**
 * Language of comments: their first word, their width, and words to replace. docs/GLOSSARY.md has
 * the terms of the field. `bun scripts/check/comments.ts [path prefix…]` checks parts of the
 * project by hand.
 */
import { join } from "node:path";
import { readProject } from "./structure.ts";

const commentColumnsMax = 100;

/** Words that a comment must not begin with: use a noun, a name or a third-person verb. */
const forbiddenOpening =
  /^(Of|It|Its|What|Whatever|Who|Whoever|They|Them|Their|Those|So (many|much|long|soon|often|far)|Since then|The same|One that|That one|As (above|often|long|far)|Then)\b/;

/** Word to replace → suggestion. */
const forbiddenWords: readonly (readonly [RegExp, string])[] = [
  [/\banew\b/i, "again"],
  [/\bby itself\b/i, "automatically, on its own, alone"],
  [/\b(goes|go|went) on\b/i, "continues"],
  [/\bheld against\b/i, "checked against"],
  [/\bbesides?\b/i, "in addition to, next to"],
  [/\bmend(s|ed|ing)?\b/i, "repair"],
  [/\blies\b/i, "is stored, is"],
  [/\bjust now\b/i, "currently"],
  [/\bas far as\b/i, "if, to the extent that"],
  [/\bso (many|much|long|soon|often)\b/i, "the bound itself"],
  [/\bwhoever\b/i, "the actor: every peer, the holder"],
  [/\b(hear|hears|heard|hearing|ears)\b/i, "receive"],
  [/\b(speak|speaks|spoke|speaking|says|said|saying)\b/i, "send, report, state"],
  [/\b(die|dies|died|dead|alive)\b/i, "fail, exit, failed, running"],
  [/\b(is|are|was) no (?!longer|more|less)/i, "is not a"],
];

type Comment = { readonly line: number; readonly text: string };

/** Returns the comments of a program without their marks, with their first line (from 1). */
function commentsOf(source: string): Comment[] {
  const found: Comment[] = [];
  let last: { line: number; text: string } | null = null;
  for (const match of source.matchAll(
    /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/ ?(?!oxlint|@ts).*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/gm,
  )) {
    const [raw] = match;
    if (raw.startsWith('"') || raw.startsWith("`")) continue;
    const line = source.slice(0, match.index).split("\n").length;
    const text = raw
      .replace(/^\/\*\*?|\*\/$/g, "")
      .replaceAll(/^\s*(\*|\/\/) ?/gm, "")
      .trim();
    const follows =
      last !== null && raw.startsWith("//") && line === last.line + last.text.split("\n").length;
    if (follows && last) last.text += `\n${text}`;
    else {
      last = { line, text };
      found.push(last);
    }
    if (!raw.startsWith("//")) last = null;
  }
  return found;
}

/** Removes examples, quotations, links and names in backticks, which are not prose. */
const proseOf = (text: string): string =>
  text
    .replaceAll(/@example[\s\S]*$/g, "")
    .replaceAll(/`[^`]*`|"[^"\n]*"|https?:\S+/g, "…")
    .replaceAll(/^@(param|returns|throws)\s+(\S+\s)?/gm, "");

/** Returns one sentence for each problem of a file's comments. */
export function commentProblemsOf(path: string, source: string): string[] {
  const problems: string[] = [];
  for (const { line, text } of commentsOf(source)) {
    const at = `${path}:${line}`;
    for (const [offset, row] of text.split("\n").entries()) {
      const full = source.split("\n")[line - 1 + offset] ?? "";
      if (full.length > commentColumnsMax && row !== "")
        problems.push(
          `${path}:${line + offset}: the comment is ${full.length} columns wide, more than ${commentColumnsMax}`,
        );
    }
    const prose = proseOf(text);
    const opening = forbiddenOpening.exec(prose.trimStart());
    if (opening) problems.push(`${at}: a comment begins with "${opening[0]}": begin with the noun or a verb`);
    for (const [pattern, better] of forbiddenWords) {
      const word = pattern.exec(prose);
      if (word) problems.push(`${at}: "${word[0]}": write ${better}`);
    }
  }
  return problems;
}

/** Returns the problems of all files. @param files path from the project's root → text */
export const commentProblems = (files: ReadonlyMap<string, string>): string[] =>
  [...files]
    .filter(([path]) => /\.(tsx?|mjs)$/.test(path) && !path.endsWith("check/comments.ts"))
    .flatMap(([path, source]) => commentProblemsOf(path, source));

if (import.meta.main) {
  const prefixes = process.argv.slice(2);
  const files = await readProject(join(import.meta.dir, "..", ".."));
  const chosen = [...files].filter(
    ([path]) => prefixes.length === 0 || prefixes.some((prefix) => path.startsWith(prefix)),
  );
  const problems = commentProblems(new Map(chosen));
  console.log(problems.join("\n"));
  console.log(`${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
