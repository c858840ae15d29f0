import { expect, test } from "bun:test";
import { parseRetryAfterMs } from "./retry-after.ts";

/** 10 s before the example of RFC 9110, section 5.6.7. */
const nowMs = Date.UTC(1994, 10, 6, 8, 49, 27);

test.each([
  ["0", 0],
  ["120", 120_000],
  [" 5 ", 5_000],
  ["3600", 3_600_000],
  ["3601", 3_600_000],
  ["999999999", 3_600_000],
  ["Sun, 06 Nov 1994 08:49:37 GMT", 10_000],
  ["Sunday, 06-Nov-94 08:49:37 GMT", 10_000],
  ["Sun, 06 Nov 1994 08:49:00 GMT", 0],
  ["Mon, 07 Nov 1994 08:49:37 GMT", 3_600_000],
])("the header Retry-After %p asks for a delay of %p ms", (header, delayMs) => {
  expect(parseRetryAfterMs(header, null, nowMs)).toBe(delayMs);
});

test.each([null, "", "-5", "1.5", "1e3", "5s", "soon", "1995-01", "1994-11-06T08:49:37Z", "9999999999"])(
  "the header Retry-After %p asks for none",
  (header) => {
    expect(parseRetryAfterMs(header, null, nowMs)).toBeNull();
  },
);

test("a date in Retry-After is measured by the Date of the answer, whatever the clock of the device", () => {
  const date = "Sun, 06 Nov 1994 08:49:30 GMT";
  const until = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (const offMs of [-600_000, 0, 600_000])
    expect(parseRetryAfterMs(until, date, nowMs + offMs)).toBe(7_000);
  expect(parseRetryAfterMs(until, "nonsense", nowMs)).toBe(10_000);
});
