import { expect, test } from "bun:test";
import { widthProblems } from "./width.ts";

const classOf = (fields: number): string =>
  [
    "export class Wide {",
    ...Array.from({ length: fields }, (_, i) => `  readonly #field${i}: number;`),
    "  readonly handle = (): void => {};",
    "",
    "  method(): void {",
    "    const local = 1;",
    "  }",
    "}",
  ].join("\n");

test("a class with more than twelve fields is named, with their number", () => {
  expect(widthProblems(new Map([["a.ts", classOf(12)]]))).toEqual([]);
  expect(widthProblems(new Map([["a.ts", classOf(13)]]))).toEqual([
    "a.ts: class Wide has 13 fields, more than 12: group or split them",
  ]);
});
