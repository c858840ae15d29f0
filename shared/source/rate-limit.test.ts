import { expect, test } from "bun:test";
import { addressKey, RateLimit } from "./rate-limit.ts";

const rate = { burst: 3, perSecond: 2 };

test("a rate limit admits a burst, then the rate, and tells how long to wait", () => {
  const limit = new RateLimit(rate);
  expect([1, 2, 3, 4].map(() => limit.take("a", 0))).toEqual([0, 0, 0, 500]);
  expect(limit.take("b", 0)).toBe(0);
  expect(limit.take("a", 250)).toBe(250);
  expect(limit.take("a", 500)).toBe(0);
  expect([1, 2, 3, 4].map(() => limit.take("a", 100_000))).toEqual([0, 0, 0, 500]);
});

test("a rate limit fills nothing when the clock is set back", () => {
  const limit = new RateLimit(rate);
  for (let at = 0; at < 3; at++) limit.take("a", 10_000);
  expect(limit.take("a", 0)).toBe(500);
  expect(limit.take("a", 250)).toBe(250);
});

test("a rate limit remembers a bounded number of keys, and those in use", () => {
  const limit = new RateLimit(rate);
  for (let at = 0; at < 3; at++) limit.take("busy", 0);
  for (let at = 0; at < 20_000; at++) {
    limit.take(`key-${at}`, 0);
    if (at % 1_000 === 0) expect(limit.take("busy", 0)).toBe(500);
  }
});

test.each([
  ["10.0.0.5", "10.0.0.5"],
  ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:db8::5:6:7:8", "2001:db8::/64"],
  ["2001:db8::9", "2001:db8::/64"],
])("the key of the address %s is %s", (address, key) => {
  expect(addressKey(address)).toBe(key);
});
