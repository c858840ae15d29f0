/** Check of the code for browsers, on small projects and on the project itself. */
import { join } from "node:path";
import { expect, test } from "bun:test";
import { browserProblems } from "./browser.ts";
import { readProject } from "./structure.ts";

const page = "shared/source/console/pages/page.tsx";
const problemsOf = (text: string, more: Record<string, string> = {}): string[] =>
  browserProblems(new Map(Object.entries({ [page]: text, ...more })));

test("refuses server modules, runtime modules and unknown packages that a page imports", () => {
  for (const specifier of ["../../app.ts", "node:fs", "bun", "hono", "../../../platform/index.ts"])
    expect(problemsOf(`import { a } from "${specifier}";`)).toEqual([
      expect.stringContaining("is code for browsers"),
    ]);
});

test("follows pure modules to what they import", () => {
  const text = `import {\n  a,\n} from "../../../model/a.ts";`;
  expect(problemsOf(text, { "shared/model/a.ts": `import { b } from "./b.ts";` })).toEqual([]);
  const found = problemsOf(text, { "shared/model/a.ts": `export { b } from "node:crypto";` });
  expect(found).toEqual([expect.stringContaining("shared/model/a.ts imports node:crypto")]);
});

test("allows types of the server, and packages for browsers", () => {
  expect(problemsOf(`import type { A } from "../../app.ts";\nimport { render } from "preact";`)).toEqual([]);
});

test("finds the console's pages in the project, and no problem in them", async () => {
  const files = await readProject(join(import.meta.dir, "..", ".."));
  expect([...files.keys()].filter((path) => path.startsWith("shared/source/console/pages/"))).not.toEqual([]);
  expect(browserProblems(files)).toEqual([]);
});
