import { describe, expect, test } from "bun:test";
import { commentProblemsOf } from "./comments.ts";

const problems = (source: string): string[] => commentProblemsOf("a.ts", source);

describe("comments", () => {
  test.each([
    ["/** Of the package's chunks, the first. */", 'begins with "Of"'],
    ["const a = 1; // It ends here", 'begins with "It"'],
    ["/**\n * So many at a time.\n */", 'begins with "So many"'],
    ["/** The last one is begun anew. */", '"anew": write again'],
    ["// A peer that dies\n// is replaced.", '"dies": write fail'],
    [`/** ${"word ".repeat(21)} */`, "columns wide, more than 100"],
  ])("reports a problem of %p", (source, problem) => {
    expect(problems(source)).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });

  test.each([
    ["/** Upper bound on devices remembered for serving wrong chunks. */"],
    ['/** The setting `goes on` and the reason "it dies" are names here. */'],
    ['const text = "// It dies"; const other = `/* Of */`;'],
    ["/** @param what is counted */"],
  ])("accepts %p", (source) => {
    expect(problems(source)).toEqual([]);
  });

  test("reports the line of a comment, and joins consecutive line comments", () => {
    expect(problems("const a = 1;\n// Returns the count\n// of it.\n\n// It\n")).toEqual([
      expect.stringContaining("a.ts:5: a comment begins"),
    ]);
  });
});
