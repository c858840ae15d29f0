/**
 * Links of the documents: each file and each heading that a link names must exist, and so must the
 * section that a text names in quotation marks after a link. Every page is in the index. Addresses
 * of web sites are not requested.
 */
import { dirname, join, normalize } from "node:path";

/** Page that lists all others. */
const indexPage = "docs/README.md";

const link = /(?<!`)\[(?:[^\][]|\[[^\]]*\])*\]\(([^)\s]+)\)(?:\)?, "([^"\n]+)")?/g;

/** Returns the text without blocks of code and code in backticks, where nothing is a link. */
const proseOf = (text: string): string =>
  text.replaceAll(/^```[\s\S]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, (code) => " ".repeat(code.length));

/** Returns the anchors of the headings of a page, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, title] of text.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/^#{1,6} (.*)$/gm)) {
    const plain = title!.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "");
    const slug = plain.trim().replaceAll(/\s/g, "-");
    let [anchor, count] = [slug, 0];
    while (anchors.has(anchor)) anchor = `${slug}-${++count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Whether a page has a section: a heading, or a paragraph that begins with its name in bold. */
const hasSection = (text: string, name: string): boolean =>
  text.split("\n").some((line) => {
    const title = /^(?:#{1,6} |(?:[-*] )?\*\*)(.*)$/.exec(line)?.[1];
    return title?.startsWith(name) === true;
  });

/** Pages that the index need not list: one of their folder does. */
const isListedElsewhere = (path: string): boolean => path.startsWith("docs/stories/");

/**
 * Returns one sentence for each problem.
 * @param files path from the project's root → text
 * @param paths all files that a link may name, also pictures
 */
export function linkProblems(files: ReadonlyMap<string, string>, paths: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  const pages = [...files].filter(([path]) => path.endsWith(".md"));
  const linked = new Set<string>();
  for (const [path, text] of pages) {
    for (const [, target, section] of proseOf(text)
      .replaceAll(/\n(?=\S)/g, " ")
      .matchAll(link)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [name, anchor] = target!.split("#") as [string, string | undefined];
      const file = name === "" ? path : normalize(join(dirname(path), name));
      if (path === indexPage) linked.add(file);
      if (!paths.has(file.replace(/\/$/, "")))
        problems.push(`${path} links to "${name}", which does not exist`);
      else if (anchor !== undefined && !anchorsOf(files.get(file) ?? "").has(anchor))
        problems.push(`${path} links to "${target}": ${file} has no such heading`);
      else if (section !== undefined && files.has(file) && !hasSection(files.get(file)!, section))
        problems.push(`${path} names "${section}" of ${file}, which has no such section`);
    }
  }
  if (files.has(indexPage))
    for (const [path] of pages)
      if (path.startsWith("docs/") && path !== indexPage && !isListedElsewhere(path) && !linked.has(path))
        problems.push(`${indexPage} has no link to ${path}`);
  return problems;
}

/** Returns the paths of all files and folders that a link may name. */
export async function linkTargets(root: string): Promise<Set<string>> {
  const paths = new Set<string>();
  const add = (path: string): void => {
    for (let each = path; each !== "."; each = dirname(each)) paths.add(each);
  };
  for await (const path of new Bun.Glob("{docs,roles,shared,scripts,tests}/**/*").scan({ cwd: root }))
    add(path);
  for (const path of ["README.md", "LICENSE", "CHANGELOG.md"])
    if (await Bun.file(join(root, path)).exists()) add(path);
  return paths;
}
