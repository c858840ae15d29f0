import { expect, test } from "bun:test";
import { namesOf, numbersBetween, sizeBytes } from "./options.ts";

test("numbers are a list within bounds", () => {
  expect(numbersBetween(0, 50)("0,1,5")).toEqual([0, 1, 5]);
  for (const wrong of ["", "0,,1", "51", "-1", "x"]) expect(() => numbersBetween(0, 50)(wrong)).toThrow();
  expect(() => numbersBetween(1, 9, true)("1.5")).toThrow("whole number");
});

test("names keep the order of the known ones, and none is none", () => {
  const parse = namesOf(["a", "b", "c"]);
  expect(parse("c,a")).toEqual(["a", "c"]);
  expect(parse("none")).toEqual([]);
  expect(() => parse("a,d")).toThrow('"d" is none of a, b, c');
});

test("a size has a unit", () => {
  expect(sizeBytes("208KiB")).toBe(212_992);
  expect(() => sizeBytes("much")).toThrow();
});
