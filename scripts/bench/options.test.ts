import { expect, test } from "bun:test";
import { namesOf, numbersBetween, sizeBytes } from "./options.ts";

test("accepts a list of numbers within bounds", () => {
  expect(numbersBetween(0, 50)("0,1,5")).toEqual([0, 1, 5]);
  for (const wrong of ["", "0,,1", "51", "-1", "x"]) expect(() => numbersBetween(0, 50)(wrong)).toThrow();
  expect(() => numbersBetween(1, 9, true)("1.5")).toThrow("whole number");
});

test("returns names in the order of the known ones, and no name for none", () => {
  const parse = namesOf(["a", "b", "c"]);
  expect(parse("c,a")).toEqual(["a", "c"]);
  expect(parse("none")).toEqual([]);
  expect(() => parse("a,d")).toThrow('"d" is not one of a, b, c');
});

test("requires a unit for a size", () => {
  expect(sizeBytes("208KiB")).toBe(212_992);
  expect(() => sizeBytes("much")).toThrow();
});
