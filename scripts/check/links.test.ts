import { expect, test } from "bun:test";
import { linkProblems } from "./links.ts";

const problemsOf = (files: Record<string, string>, ...others: string[]) =>
  linkProblems(new Map(Object.entries(files)), new Set([...Object.keys(files), ...others]));

test("reports a link to a missing file or heading, and a missing section after a link", () => {
  const files = {
    "README.md":
      '[a](docs/A.md), "Setting up"; [b](docs/B.md) [c](docs/A.md#first-steps) [d](docs/A.md#none) [e](docs/A.md), "None"',
    "docs/A.md": "# First steps!\n\n**Setting up.** Text\n\n[top](#first-steps) [x](#other) ![p](p.png)",
  };
  expect(problemsOf(files, "docs/p.png")).toEqual([
    'README.md links to "docs/B.md", which does not exist',
    'README.md links to "docs/A.md#none": docs/A.md has no such heading',
    'README.md names "None" of docs/A.md, which has no such section',
    'docs/A.md links to "#other": docs/A.md has no such heading',
  ]);
});

test("accepts links in code, to web sites, to folders, to repeated headings, and over two lines", () => {
  const files = {
    "docs/A.md":
      "## Same\n\n## Same\n\n```\n[x](gone.md)\n```\n\n`[y](gone.md)` [z](https://example.org/)\n[s](#same-1) [f](console/)\n[two\nlines](A.md)",
  };
  expect(problemsOf(files, "docs/console")).toEqual([]);
});

test("reports a page that the index does not list", () => {
  const files = { "docs/README.md": "[A](A.md)", "docs/A.md": "", "docs/B.md": "", "docs/stories/x.md": "" };
  expect(problemsOf(files)).toEqual(["docs/README.md has no link to docs/B.md"]);
});
