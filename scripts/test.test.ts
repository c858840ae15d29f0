import { expect, test } from "bun:test";
import { parseSummary, skippedNames } from "./test.ts";

test("counts are read from the last summary, and a file that cannot be loaded counts as failed", () => {
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

test("output without a summary gives no counts", () => {
  expect(parseSummary("bun: out of memory")).toBeNull();
});

test("skipped tests are named with their file, and XML escapes are undone", () => {
  const junit = `<testcase name="runs" classname="" time="0" file="a.test.ts" line="2" assertions="1" />
    <testcase name="needs &lt;root&gt; (skipped: R&amp;D)" classname="" time="0" file="b.test.ts" line="3" assertions="0">
      <skipped />
    </testcase>`;
  expect(skippedNames(junit)).toEqual(["b.test.ts: needs <root> (skipped: R&D)"]);
});
