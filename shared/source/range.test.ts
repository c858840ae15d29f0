import { expect, test } from "bun:test";
import { wantedBytes } from "./range.ts";

const etag = '"abc"';
test.each([
  [undefined, undefined, { kind: "whole" }],
  ["bytes=0-9", undefined, { kind: "part", start: 0, end: 10 }],
  ["bytes=90-", undefined, { kind: "part", start: 90, end: 100 }],
  ["bytes=90-500", undefined, { kind: "part", start: 90, end: 100 }],
  ["bytes=-5", undefined, { kind: "part", start: 95, end: 100 }],
  ["bytes=-500", undefined, { kind: "part", start: 0, end: 100 }],
  ["bytes=100-", undefined, { kind: "unsatisfiable" }],
  ["bytes=-0", undefined, { kind: "unsatisfiable" }],
  ["bytes=9-3", undefined, { kind: "whole" }],
  ["bytes=0-1,5-6", undefined, { kind: "whole" }],
  ["lines=1-2", undefined, { kind: "whole" }],
  ["bytes=-", undefined, { kind: "whole" }],
  ["bytes=0-9", '"abc"', { kind: "part", start: 0, end: 10 }],
  ["bytes=0-9", '"other"', { kind: "whole" }],
  ["bytes=0-9", "Tue, 01 Jan 2030 00:00:00 GMT", { kind: "whole" }],
] as const)("Range %p with If-Range %p", (range, ifRange, expected) => {
  expect(wantedBytes(range, ifRange, etag, 100)).toEqual(expected);
});
