import { describe, expect, test } from "bun:test";
import {
  leaseDurationMs,
  leaseFailedMs,
  leaseSilentMs,
  noLease,
  releaseLease,
  requestLease,
  type LeaseState,
} from "./lease.ts";

const at = { address: "10.0.0.5", lanPort: 7400 };

/** Applies a sequence of requests to one lease. */
function story(deviceCount = 5) {
  let state: LeaseState = noLease;
  return {
    ask(device: string, nowMs: number, term = 1) {
      const { next, result } = requestLease(state, device, { ...at, term }, nowMs);
      state = next;
      return result;
    },
    release(device: string, nowMs: number, failure: string | null = null) {
      const { next, result } = releaseLease(state, device, failure, deviceCount, nowMs);
      state = next;
      return result;
    },
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
    const query = () => requestLease(state, "z", { ...at, term: 9, query: true }, 60_000);
    expect(query()).toEqual({ next: noLease, result: { result: "free", retryAfterMs: leaseSilentMs } });
    state = requestLease(state, "a", { ...at, term: 1 }, 59_000).next;
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
});
