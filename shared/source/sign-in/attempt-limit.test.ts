import { expect, test } from "bun:test";
import { AttemptLimit } from "./attempt-limit.ts";

/** Fails until the limit asks to wait. Returns the number of failures, and the wait. */
function failUntilLimited(attempt: () => number): { failures: number; waitMs: number } {
  for (let failures = 0; failures < 1_000; failures++) {
    const waitMs = attempt();
    if (waitMs > 0) return { failures, waitMs };
  }
  throw new Error("never limited");
}

test("lets one address fail five times for a user, then asks for twice as long a wait each time", () => {
  const limit = new AttemptLimit();
  let nowMs = 0;
  const first = failUntilLimited(() => limit.begin("anna", "192.0.2.1", nowMs));
  expect(first).toEqual({ failures: 5, waitMs: 1_000 });
  const waits: number[] = [];
  for (let index = 0; index < 12; index++) {
    nowMs += limit.begin("anna", "192.0.2.1", nowMs);
    expect(limit.begin("anna", "192.0.2.1", nowMs)).toBe(0);
    waits.push(limit.begin("ANNA", "192.0.2.1", nowMs));
  }
  expect(waits.slice(0, 4)).toEqual([2_000, 4_000, 8_000, 16_000]);
  expect(Math.max(...waits)).toBeLessThanOrEqual(900_000);
  expect(waits.at(-1)).toBeGreaterThan(250_000);
  // Another address and another user are not concerned.
  expect(limit.begin("anna", "192.0.2.2", nowMs)).toBe(0);
  expect(limit.begin("ben", "192.0.2.1", nowMs)).toBe(0);
});

test("forgives a failure of an address every three minutes, so that an office is not kept out", () => {
  const limit = new AttemptLimit();
  for (let index = 0; index < 1_000; index++)
    expect(limit.begin(`user-${index % 50}`, "192.0.2.1", index * 200_000)).toBe(0);
  expect(failUntilLimited(() => limit.begin("anna", "192.0.2.1", 200_000_000)).failures).toBe(5);
});

test("limits an address that tries one password for many users, whatever it owns itself", () => {
  const limit = new AttemptLimit();
  let user = 0;
  const attempt = (): number => {
    if (user % 5 === 0 && limit.begin("own", "192.0.2.1", 0) === 0) limit.succeeded("own", "192.0.2.1");
    return limit.begin(`user-${user++}`, "192.0.2.1", 0);
  };
  expect(failUntilLimited(attempt)).toEqual({ failures: 20, waitMs: 1_000 });
});

test("counts the addresses of one IPv6 network as one", () => {
  const limit = new AttemptLimit();
  let host = 1;
  const attempt = (): number => limit.begin("anna", `2001:db8:1:2::${(host++).toString(16)}`, 0);
  expect(failUntilLimited(attempt).failures).toBe(5);
  expect(limit.begin("anna", "2001:db8:1:3::1", 0)).toBe(0);
});

test("delays guesses at a user from many addresses by 30 s at most, so that the user can sign in", () => {
  const limit = new AttemptLimit();
  let nowMs = 0;
  let longestMs = 0;
  for (let host = 0; host < 200; host++) {
    const waitMs = limit.begin("anna", `192.0.2.${host}`, nowMs);
    longestMs = Math.max(longestMs, waitMs);
    nowMs += waitMs;
    if (waitMs > 0) limit.begin("anna", `192.0.2.${host}`, nowMs);
  }
  expect(longestMs).toBe(30_000);
  expect(limit.begin("anna", "198.51.100.1", nowMs + 30_000)).toBe(0);
  limit.succeeded("anna", "198.51.100.1");
  expect(limit.begin("anna", "203.0.113.1", nowMs + 30_000)).toBe(0);
});

test("keeps nobody out for longer than the longest delay when the clock is set back", () => {
  const limit = new AttemptLimit();
  for (let index = 0; index < 5; index++) limit.begin("anna", "192.0.2.1", 86_400_000);
  expect(limit.begin("anna", "192.0.2.1", 0)).toBe(900_000);
});
