import { expect, test } from "bun:test";
import { linkProblems } from "./package-link.ts";
import { toEnd } from "./steps.ts";

const problemsOf = (links: object): string[] =>
  toEnd(linkProblems(Object.entries(links).map(([path, target]) => ({ path, target: String(target) }))));

test.each([
  [{ a: "b" }],
  [{ "x/y": "../z" }],
  [{ "x/y/z": "../../w" }],
  [{ "Versions/Current": "A", Resources: "Versions/Current/Resources" }],
  [{ "d/up": "..", "e/f": "../d/up/d/x" }],
  [{ a: "." }],
  // Without an entry there, as links to files that an installer makes.
  [{ a: "nothing/here" }],
])("links that stay inside are accepted: %j", (links) => {
  expect(problemsOf(links)).toEqual([]);
});

test.each([
  [{ a: "" }, "it is empty"],
  [{ a: "/etc/passwd" }, "absolute"],
  [{ a: "C:/x" }, "absolute"],
  [{ a: ".." }, "outside the package"],
  [{ "x/y": "../../z" }, "outside the package"],
  [{ a: "b/../../x" }, "outside the package"],
  // Only with the other link in mind does the target leave the package.
  [{ "d/up": "..", e: "d/up/../x" }, "outside the package"],
  // Windows and macOS follow "d", and would be outside of the package after it.
  [{ D: ".", e: "d/../x" }, 'the link "D" as "d"'],
  [{ "x/D": "..", e: "X/d/../y" }, 'the link "x/D" as "X/d"'],
  [{ a: "b", b: "a" }, "without end"],
  [{ a: "a/x" }, "without end"],
  [{ a: "x\\y" }, "control character"],
  [{ a: "x//y" }, "empty part"],
  [{ a: "x/" }, "empty part"],
  [{ a: "y".repeat(1_025) }, "longer than"],
])("links that cannot be used are refused: %j", (links, reason) => {
  const [problem] = problemsOf(links);
  expect(problem).toContain(reason);
});
