import { describe, expect, test } from "bun:test";
import {
  leaseDurationMs,
  leaseFailedMs,
  leaseSilentMs,
  noLease,
  releaseLease,
  requestLease,
  spendByFallback,
  uselessBytesMax,
  withoutFailures,
  type LeaseState,
} from "./lease.ts";

const packageBytes = 10_000_000;
const at = { address: "10.0.0.5", lanPort: 7400 };

/** Applies a sequence of requests to one lease. */
function story(deviceCount = 5) {
  let state: LeaseState = noLease;
  return {
    ask(device: string, nowMs: number, term = 1, uselessBytes = 0) {
      const request = { ...at, term, uselessBytes };
      const { next, result } = requestLease(state, device, request, packageBytes, nowMs);
      state = next;
      return result;
    },
    release(device: string, nowMs: number, failure: string | null = null, uselessBytes = 0) {
      const of = { deviceCount, packageBytes };
      const { next, result } = releaseLease(state, device, { failure, uselessBytes }, of, nowMs);
      state = next;
      return result;
    },
    forget: () => void (state = withoutFailures(state)),
  };
}

describe("lease", () => {
  test("is granted to one device and refused to another, with the holder named", () => {
    const lease = story();
    expect(lease.ask("a", 0)).toEqual({
      result: "granted",
      expiresInMs: leaseDurationMs,
      term: 1,
      before: null,
      uselessBytesLeft: 20_000_000,
    });
    expect(lease.ask("b", 1_000, 9)).toEqual({
      result: "refused",
      holder: { deviceId: "a", ...at, term: 1 },
      retryAfterMs: leaseDurationMs - 1_000,
    });
  });

  test("is renewed by another request and keeps the highest term", () => {
    const lease = story();
    lease.ask("a", 0);
    expect(lease.ask("a", 10_000, 4)).toMatchObject({ result: "granted", term: 4 });
    expect(lease.ask("a", 11_000, 2)).toMatchObject({ result: "granted", term: 4 });
    expect(lease.ask("b", 20_000).result).toBe("refused");
  });

  test("is granted to another device after it expired or was released", () => {
    const lease = story();
    lease.ask("a", 0);
    const before = { deviceId: "a", ...at, term: 1 };
    expect(lease.ask("b", leaseDurationMs)).toMatchObject({ result: "granted", before });
    expect(lease.release("b", leaseDurationMs + 1)).toBe("released");
    expect(lease.ask("c", leaseDurationMs + 2).result).toBe("granted");
  });

  test("is granted to a device of a later term once the holder has not renewed it for leaseSilentMs", () => {
    const lease = story();
    lease.ask("a", 0);
    expect(lease.ask("b", leaseSilentMs - 1, 2).result).toBe("refused");
    expect(lease.ask("b", leaseSilentMs, 1).result).toBe("refused");
    expect(lease.ask("b", leaseSilentMs, 2)).toMatchObject({ result: "granted", term: 2 });
    expect(lease.ask("a", leaseSilentMs + 1, 1)).toMatchObject({
      result: "refused",
      holder: { deviceId: "b" },
    });
  });

  test("is refused to a device of a later term while the holder renews it", () => {
    const lease = story();
    for (let nowMs = 0; nowMs < 60_000; nowMs += 3_000) {
      expect(lease.ask("a", nowMs).result).toBe("granted");
      expect(lease.ask("b", nowMs + 2_900, 5).result).toBe("refused");
    }
  });

  test("names the holder, or that it is free, to a query and stays unchanged", () => {
    let state: LeaseState = noLease;
    const own = { ...at, uselessBytes: 0 };
    const query = () => requestLease(state, "z", { ...own, term: 9, query: true }, packageBytes, 60_000);
    expect(query()).toEqual({ next: noLease, result: { result: "free", retryAfterMs: leaseSilentMs } });
    state = requestLease(state, "a", { ...own, term: 1 }, packageBytes, 59_000).next;
    expect(query().result).toMatchObject({ result: "refused", holder: { deviceId: "a" } });
  });

  test("is granted to another device after the clock of the source was set back", () => {
    const lease = story();
    lease.ask("a", 3_600_000);
    expect(lease.ask("b", 0, 2)).toMatchObject({ result: "granted", term: 2 });
    for (const device of ["b", "c", "d"]) {
      lease.ask(device, 3_600_000);
      lease.release(device, 3_600_000, "404 Not Found");
    }
    expect(lease.ask("e", 3_600_001).result).toBe("failed");
    expect(lease.ask("e", 1).result).toBe("granted");
  });

  test("is not released by a device that does not hold it", () => {
    const lease = story();
    lease.ask("a", 0);
    expect(lease.release("b", 1, "no route")).toBe("not-held");
    expect(lease.ask("b", 2).result).toBe("refused");
  });

  test("is refused to every device for five minutes after three devices failed", () => {
    const lease = story();
    for (const [index, device] of ["a", "a", "b"].entries()) {
      expect(lease.ask(device, index).result).toBe("granted");
      lease.release(device, index, "404 Not Found");
    }
    expect(lease.ask("c", 10).result).toBe("granted");
    lease.release("c", 11, "404 Not Found");
    expect(lease.ask("d", 12)).toMatchObject({
      result: "failed",
      reason: expect.stringContaining("404 Not Found"),
      retryAfterMs: leaseFailedMs - 1,
    });
    expect(lease.ask("d", 11 + leaseFailedMs).result).toBe("granted");
    lease.release("d", 12 + leaseFailedMs, "404 Not Found");
    expect(lease.ask("a", 13 + leaseFailedMs).result).toBe("granted");
  });

  test("is refused after two failures on a subnet of two devices", () => {
    const lease = story(2);
    for (const device of ["a", "b"]) {
      expect(lease.ask(device, 0).result).toBe("granted");
      lease.release(device, 0, "stalled");
    }
    expect(lease.ask("a", 1).result).toBe("failed");
  });

  test("is refused for a rest that doubles up to six hours while downloads fail, and a day ends that", () => {
    const lease = story(1);
    let nowMs = 0;
    const rests: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      expect(lease.ask("a", nowMs).result).toBe("granted");
      lease.release("a", nowMs, "404 Not Found");
      const begunAtMs = nowMs;
      // A refused device asks again after five minutes at most.
      for (
        let answer = lease.ask("a", nowMs + 1);
        answer.result === "failed";
        answer = lease.ask("a", nowMs + 1)
      ) {
        expect(answer.retryAfterMs).toBeLessThanOrEqual(leaseFailedMs);
        nowMs += leaseFailedMs;
      }
      lease.release("a", nowMs + 2);
      rests.push((nowMs - begunAtMs) / 60_000);
    }
    expect(rests).toEqual([5, 10, 20, 40, 80, 160, 320, 360, 360]);
    nowMs += 25 * 3_600_000;
    lease.ask("a", nowMs);
    lease.release("a", nowMs, "404 Not Found");
    expect(lease.ask("a", nowMs + leaseFailedMs + 1).result).toBe("granted");
  });

  test("gives a budget of useless bytes to the subnet, which all holders share", () => {
    const lease = story();
    lease.ask("a", 0);
    expect(lease.ask("a", 3_000, 1, 5_000_000)).toMatchObject({ uselessBytesLeft: 15_000_000 });
    // The answer to the same statement counts nothing again.
    expect(lease.ask("a", 6_000, 1, 5_000_000)).toMatchObject({ uselessBytesLeft: 15_000_000 });
    lease.release("a", 7_000, null, 6_000_000);
    // Bytes of an earlier session are not counted for this one.
    expect(lease.ask("b", 8_000, 2, 900_000_000)).toMatchObject({ uselessBytesLeft: 14_000_000 });
    lease.release("b", 9_000, "it breaks off", 914_000_000);
    expect(lease.ask("c", 10_000)).toMatchObject({ result: "failed", reason: "it breaks off" });
    // After a rest a quarter of the package is enough to see whether the site was repaired.
    expect(lease.ask("c", 9_001 + leaseFailedMs)).toMatchObject({ uselessBytesLeft: 2_500_000 });
  });

  test("is refused when a holder spent the budget and left without a failure", () => {
    const lease = story();
    lease.ask("a", 0);
    lease.release("a", 1_000, null, 20_000_000);
    expect(lease.ask("a", 2_000)).toMatchObject({
      result: "failed",
      reason: expect.stringContaining("in vain"),
    });
  });

  test("forgets failures and spent bytes when an administrator changed something", () => {
    const lease = story(1);
    lease.ask("a", 0);
    lease.release("a", 1_000, "404 Not Found", 20_000_000);
    expect(lease.ask("a", 2_000).result).toBe("failed");
    lease.forget();
    expect(lease.ask("a", 3_000)).toMatchObject({ result: "granted", uselessBytesLeft: 20_000_000 });
  });
});

test("a fallback spends the same budget, and its end begins a rest", () => {
  const first = spendByFallback(noLease, "a", 5_000_000, packageBytes, 0);
  expect(first.result).toBe(15_000_000);
  const last = spendByFallback(first.next, "a", 15_000_000, packageBytes, 1_000);
  expect(last.result).toBe(0);
  expect(spendByFallback(last.next, "a", 0, packageBytes, 2_000).result).toBe(0);
  const request = { ...at, term: 1, uselessBytes: 0 };
  expect(requestLease(last.next, "b", request, packageBytes, 2_000).result.result).toBe("failed");
});

test("a small package has a budget of one MiB", () => {
  expect(uselessBytesMax(1_000)).toBe(1_048_576);
  expect(uselessBytesMax(1_000_000)).toBe(2_000_000);
});
