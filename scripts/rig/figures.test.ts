import { expect, test } from "bun:test";
import { bestOf, fixed, lastOf, meanOf, medianOf, ratioOf, secondsText } from "./figures.ts";

test("the time of the last receiver is null when one did not finish", () => {
  expect(lastOf([1_200, 3_400, 2_000])).toBe(3_400);
  expect(lastOf([1_200, null])).toBeNull();
  expect(lastOf([])).toBeNull();
});

test("the median is one of the measured times", () => {
  expect(medianOf([30, 10, 20])).toBe(20);
  expect(medianOf([40, 10, 20, 30])).toBe(20);
  expect(medianOf([])).toBeNull();
});

test("means, minima and ratios are null without values", () => {
  expect(meanOf([1, 2, 6])).toBe(3);
  expect(meanOf([])).toBeNull();
  expect(bestOf([null, 5, 4])).toBe(4);
  expect(bestOf([null])).toBeNull();
  expect(ratioOf(3, 2)).toBe(1.5);
  expect(ratioOf(null, 2)).toBeNull();
  expect(ratioOf(3, 0)).toBeNull();
});

test("null is formatted as a dash", () => {
  expect(fixed(1.005, 1)).toBe("1.0");
  expect(fixed(null)).toBe("–");
  expect(secondsText(2_345)).toBe("2.35 s");
  expect(secondsText(null)).toBe("–");
});
