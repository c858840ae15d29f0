import { expect, test } from "bun:test";
import fc from "fast-check";
import { compareVersions } from "./version-order.ts";

test.each([
  ["1.9", "1.10"],
  ["1.2.3", "1.2.4"],
  ["1.0", "1.0.1"],
  ["1.0-rc1", "1.0"],
  ["1.0-alpha", "1.0-beta"],
  ["1.0-beta2", "1.0-beta10"],
  ["1.0-beta", "1.0-rc1"],
  ["1.0", "1.0a"],
  ["1.0.2t", "1.0.2u"],
  ["1.0-2", "1.0-10"],
  ["1.0", "1.0-2"],
  ["2024-11-05", "2024-12-01"],
  ["9", "20241105"],
  ["v1.2", "v1.10"],
  ["1.0", "1.0.0"],
  ["0.9.99999999999999999998", "0.9.99999999999999999999"],
  ["1.0.0-dev", "1.0.0-alpha"],
])("%s is lower than %s", (low, high) => {
  expect(compareVersions(low, high)).toBeLessThan(0);
  expect(compareVersions(high, low)).toBeGreaterThan(0);
});

test("the order is total: one result in both directions, transitive, equal only for equal text", () => {
  const part = fc.constantFrom("0", "00", "1", "2", "10", "a", "b", "rc", "beta", "dev");
  const versions = fc
    .array(fc.tuple(fc.constantFrom("", ".", "-", "_"), part), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.flat().join(""));
  fc.assert(
    fc.property(versions, versions, versions, (a, b, c) => {
      expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
      expect(compareVersions(a, b) === 0).toBe(a === b);
      if (compareVersions(a, b) < 0 && compareVersions(b, c) < 0)
        expect(compareVersions(a, c)).toBeLessThan(0);
    }),
    { numRuns: 3_000 },
  );
});
