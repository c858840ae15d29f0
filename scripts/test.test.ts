import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import timings from "./test-timings.json" with { type: "json" };
import { parseSummary, skippedNames } from "./test.ts";

test("reads counts from the last summary, and counts a file that cannot be loaded as failed", () => {
  const output = `
 3 pass
Ran 3 tests of something that a test printed

a.test.ts:
(pass) x

 41 pass
 2 skip
 1 todo
 4 fail
 1 error
 50 expect() calls
Ran 47 tests across 9 files. [1.20s]
`;
  expect(parseSummary(output)).toEqual({ passed: 41, failed: 4, skipped: 3 });
});

test("returns null for output without a summary", () => {
  expect(parseSummary("bun: out of memory")).toBeNull();
});

test("lists skipped tests with their file, and decodes XML escapes", () => {
  const junit = `<testcase name="runs" classname="" time="0" file="a.test.ts" line="2" assertions="1" />
    <testcase name="needs &lt;root&gt; (skipped: R&amp;D)" classname="" time="0" file="b.test.ts" line="3" assertions="0">
      <skipped />
    </testcase>`;
  expect(skippedNames(junit)).toEqual(["b.test.ts: needs <root> (skipped: R&D)"]);
});

test("knows the time of files that exist", () => {
  const files = Object.keys(timings.files);
  expect(files.length).toBeGreaterThan(200);
  expect(files.filter((file) => !existsSync(join(import.meta.dir, "..", file)))).toEqual([]);
});
