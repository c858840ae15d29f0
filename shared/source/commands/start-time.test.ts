import { expect, test } from "bun:test";
import { parseStartTime } from "./start-time.ts";

const at2026 = Date.UTC(2026, 0);

test("refuses a start more than ten years from now", () => {
  for (const text of ["+100000000d", "+3651d", "2040-01-01"])
    expect(() => parseStartTime(text, at2026)).toThrow("more than ten years");
  expect(parseStartTime("+3650d", 0)).toBe(3_650 * 86_400_000);
});

test("parses a start as a time or as a duration from now", () => {
  expect(parseStartTime("+10m", 1_000)).toBe(601_000);
  expect(parseStartTime("2030-01-31T22:00Z", at2026)).toBe(Date.UTC(2030, 0, 31, 22));
  expect(parseStartTime("2030-01-31T22:00:05+02:00", at2026)).toBe(Date.UTC(2030, 0, 31, 20, 0, 5));
  expect(parseStartTime("2030-01-31 22:00", at2026)).toBe(new Date(2030, 0, 31, 22).getTime());
});

test.each(["", "soon", "+", "+10", "10m", "2030-13-01T00:00", "31.01.2030", "1900000000"])(
  "refuses %p with an example",
  (text) => {
    expect(() => parseStartTime(text, 0)).toThrow(/for example/);
  },
);
