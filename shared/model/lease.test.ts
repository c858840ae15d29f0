import { describe, expect, test } from "bun:test";
import {
  leaseDurationMs,
  leaseFailedMs,
  leaseSilentMs,
  noLease,
  releaseLease,
  requestLease,
  spendByFallback,
  noteService,
  termStepMax,
  withoutFailures,
  type LeaseState,
  type LeaseTerms,
} from "./lease.ts";
import { leaseIdleMs, leaseUnservedMs } from "./lease-service.ts";
import { uselessBytesMax } from "./wan-budget.ts";

const packageBytes = 10_000_000;
const at = { address: "10.0.0.5", lanPort: 7400 };
const alone = { packageBytes, hasOthers: false, startDelayMs: 0, reportIntervalMs: 2_000, isPaused: false };

/** Applies a sequence of requests to one lease. */
function story(deviceCount = 5, more: Partial<LeaseTerms> = {}) {
  let state: LeaseState = noLease;
  const terms = { ...alone, hasOthers: deviceCount > 1, ...more };
  return {
    ask(device: string, nowMs: number, term = 1, uselessBytes = 0) {
      const request = { ...at, term, uselessBytes };
      const { next, result } = requestLease(state, device, request, terms, nowMs);
      state = next;
      return result;
    },
    release(device: string, nowMs: number, failure: string | null = null, uselessBytes = 0, isKnown = true) {
      const of = { ...terms, deviceCount, isKnown };
      const { next, result } = releaseLease(state, device, { failure, uselessBytes }, of, nowMs);
      state = next;
      return result;
    },
    /** Another device reports the holder: its announcements, and bytes if `served`. */
    report(holder: string, nowMs: number, served: boolean) {
      const evidence = { presentAgoMs: 0, servedAgoMs: served ? 0 : null };
      state = noteService(state, holder, evidence, nowMs);
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
      uselessBytesLeft: 10_000_000,
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

  test("is refused to a device of a later term while the holder renews it and serves others", () => {
    const lease = story();
    for (let nowMs = 0; nowMs < 90_000; nowMs += 3_000) {
      expect(lease.ask("a", nowMs).result).toBe("granted");
      expect(lease.ask("b", nowMs + 2_900, 5).result).toBe("refused");
      lease.report("a", nowMs + 2_950, true);
    }
  });

  test("names the holder, or that it is free, to a query and stays unchanged", () => {
    let state: LeaseState = noLease;
    const own = { ...at, uselessBytes: 0 };
    const query = () => requestLease(state, "z", { ...own, term: 9, query: true }, alone, 60_000);
    expect(query()).toEqual({ next: noLease, result: { result: "free", retryAfterMs: leaseSilentMs } });
    state = requestLease(state, "a", { ...own, term: 1 }, alone, 59_000).next;
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

  test("gives a budget of useless bytes to the subnet, of which a device can spend half", () => {
    const lease = story();
    lease.ask("a", 0);
    expect(lease.ask("a", 3_000, 1, 5_000_000)).toMatchObject({ uselessBytesLeft: 5_000_000 });
    // The answer to the same statement counts nothing again.
    expect(lease.ask("a", 6_000, 1, 5_000_000)).toMatchObject({ uselessBytesLeft: 5_000_000 });
    lease.release("a", 7_000, null, 6_000_000);
    // Bytes of an earlier session are not counted for this one.
    expect(lease.ask("b", 8_000, 2, 900_000_000)).toMatchObject({ uselessBytesLeft: 10_000_000 });
    lease.release("b", 9_000, "it breaks off", 914_000_000);
    expect(lease.ask("b", 10_000, 3)).toMatchObject({ result: "failed" });
    expect(lease.ask("c", 10_000, 3)).toMatchObject({ uselessBytesLeft: 4_000_000 });
    lease.release("c", 11_000, "it breaks off", 4_000_000);
    expect(lease.ask("d", 12_000, 4)).toMatchObject({
      result: "failed",
      reason: expect.stringContaining("it breaks off"),
    });
    // After a rest a quarter of the package is enough to see whether the site was repaired.
    expect(lease.ask("c", 11_001 + leaseFailedMs, 4)).toMatchObject({ uselessBytesLeft: 1_250_000 });
  });

  test("is refused to the device that spent its share, and granted to another one", () => {
    const lease = story();
    lease.ask("a", 0);
    lease.release("a", 1_000, null, 4_000_000_000);
    expect(lease.ask("a", 2_000)).toMatchObject({
      result: "failed",
      reason: expect.stringContaining("in vain"),
    });
    expect(lease.ask("b", 3_000, 2)).toMatchObject({ result: "granted", uselessBytesLeft: 10_000_000 });
    lease.release("b", 4_000);
    expect(lease.ask("a", 2_000 + leaseFailedMs, 3)).toMatchObject({ uselessBytesLeft: 2_500_000 });
  });

  test("is refused when a holder spent the budget and left without a failure", () => {
    const lease = story(1);
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
  const first = spendByFallback(noLease, "a", 5_000_000, alone, 0);
  expect(first.result).toBe(15_000_000);
  const last = spendByFallback(first.next, "a", 15_000_000, alone, 1_000);
  expect(last.result).toBe(0);
  expect(spendByFallback(last.next, "a", 0, alone, 2_000).result).toBe(0);
  const request = { ...at, term: 1, uselessBytes: 0 };
  expect(requestLease(last.next, "b", request, alone, 2_000).result.result).toBe("failed");
});

test("a small package has a budget of one MiB", () => {
  expect(uselessBytesMax(1_000)).toBe(1_048_576);
  expect(uselessBytesMax(1_000_000)).toBe(2_000_000);
});

/** Renews every 3 s, while the others ask every 5 s. Returns which device got it, and when. */
function contest(
  lease: ReturnType<typeof story>,
  holder: string,
  others: readonly string[],
  { fromMs = 0, untilMs = 120_000 } = {},
): [string, number] | null {
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += 500) {
    if ((nowMs - fromMs) % 3_000 === 0) lease.ask(holder, nowMs);
    if ((nowMs - fromMs) % 5_000 !== 0) continue;
    for (const other of others) if (lease.ask(other, nowMs, 2).result === "granted") return [other, nowMs];
  }
  return null;
}

describe("a holder that other devices ask for", () => {
  test("loses the lease after 20 s if no device receives it, and is refused from then on", () => {
    const lease = story();
    expect(contest(lease, "a", ["b", "c"])).toEqual(["b", leaseUnservedMs]);
    expect(lease.ask("a", 21_000)).toMatchObject({ result: "refused", holder: { deviceId: "b" } });
  });

  test("loses it 30 s after the last bytes that another device received", () => {
    const lease = story();
    contest(lease, "a", ["b"], { untilMs: 9_000 });
    lease.report("a", 9_000, true);
    expect(contest(lease, "a", ["b"], { fromMs: 9_000 })).toEqual(["b", 9_000 + leaseIdleMs]);
  });

  test("keeps it while other devices report bytes, and while it is not contested", () => {
    const served = story();
    for (let nowMs = 0; nowMs < 300_000; nowMs += 10_000) {
      expect(contest(served, "a", ["b"], { fromMs: nowMs, untilMs: nowMs + 10_000 })).toBeNull();
      served.report("a", nowMs + 9_000, true);
    }
    const uncontested = story();
    expect(contest(uncontested, "a", [], { untilMs: 600_000 })).toBeNull();
    // The first request of a device that came late begins a contest, and is followed by no other.
    expect(uncontested.ask("b", 600_500, 2).result).toBe("refused");
    expect(contest(uncontested, "a", [], { fromMs: 603_000, untilMs: 660_000 })).toBeNull();
    expect(uncontested.ask("b", 660_500, 2).result).toBe("refused");
  });

  test("keeps it through the start delay if another device receives it, and not otherwise", () => {
    const delayed = { startDelayMs: 60_000 };
    const present = story(5, delayed);
    contest(present, "a", ["b"], { untilMs: 5_000 });
    present.report("a", 5_000, false);
    expect(contest(present, "a", ["b"], { fromMs: 5_000 })).toEqual(["b", 80_000]);
    expect(contest(story(5, delayed), "a", ["b"])).toEqual(["b", leaseUnservedMs]);
  });

  test("keeps it while the schedule pauses the download", () => {
    expect(contest(story(5, { isPaused: true }), "a", ["b"])).toBeNull();
  });

  test("does not prove its service itself", () => {
    const lease = story();
    contest(lease, "a", ["b"], { untilMs: 19_000 });
    // A report about another device is none about the holder.
    lease.report("z", 19_000, true);
    expect(contest(lease, "a", ["b"], { fromMs: 19_000 })![1]).toBeLessThan(25_000);
  });

  test("gets a free lease only after others had the time to ask, which doubles with each loss", () => {
    const lease = story();
    contest(lease, "a", ["b"]);
    lease.release("b", 21_000);
    expect(lease.ask("a", 22_000, 3)).toMatchObject({ result: "refused", holder: { deviceId: "b" } });
    expect(lease.ask("c", 23_000, 4).result).toBe("granted");
    lease.release("c", 24_000);
    for (let nowMs = 25_000; nowMs < 45_000; nowMs += 5_000)
      expect(lease.ask("a", nowMs, 5).result).toBe("refused");
    expect(lease.ask("a", 45_000, 5).result).toBe("granted");
    expect(contest(lease, "a", ["b"], { fromMs: 46_000 })).toEqual(["b", 46_000 + leaseUnservedMs]);
    lease.release("b", 67_000);
    for (let nowMs = 68_000; nowMs < 68_000 + 2 * leaseUnservedMs; nowMs += 5_000)
      expect(lease.ask("a", nowMs, 9).result).toBe("refused");
    expect(lease.ask("a", 68_000 + 2 * leaseUnservedMs, 9).result).toBe("granted");
  });

  test("keeps it four times as long from a device that lost it before, and longer each time both lose it", () => {
    const lease = story();
    const times: number[] = [];
    let [holder, other, fromMs] = ["a", "b", 0];
    for (let turn = 0; turn < 7; turn++) {
      const [, lostAtMs] = contest(lease, holder, [other], { fromMs, untilMs: 1_000_000 })!;
      times.push((lostAtMs - fromMs) / 1_000);
      [holder, other, fromMs] = [other, holder, lostAtMs];
    }
    expect(times).toEqual([20, 80, 20, 80, 40, 160, 40]);
  });

  test("cannot end a contest by releasing the lease and taking it again", () => {
    const lease = story();
    for (let nowMs = 0; nowMs < leaseUnservedMs; nowMs += 5_000) {
      lease.ask("a", nowMs);
      expect(lease.ask("b", nowMs + 1, 2).result).toBe("refused");
      lease.release("a", nowMs + 2, "no route");
    }
    lease.ask("a", leaseUnservedMs);
    expect(lease.ask("b", leaseUnservedMs + 1, 2).result).toBe("granted");
  });
});

describe("the term of a request", () => {
  test("rises by a small step; a higher one is refused with the highest that is possible", () => {
    const lease = story();
    expect(lease.ask("a", 0, 4_294_967_295)).toEqual({ result: "term-too-high", termMax: termStepMax });
    expect(lease.ask("a", 1, termStepMax)).toMatchObject({ result: "granted", term: termStepMax });
    expect(lease.ask("a", 2, 100)).toEqual({ result: "term-too-high", termMax: 2 * termStepMax });
    expect(lease.ask("b", leaseSilentMs + 3, 2 * termStepMax)).toMatchObject({ result: "granted" });
  });
});

describe("failures", () => {
  test("of devices that completed nothing before end no attempts of others", () => {
    const lease = story(5);
    for (const [index, device] of ["x", "y", "z", "x"].entries()) {
      lease.ask(device, index * 10);
      lease.release(device, index * 10 + 1, "404 Not Found", 0, false);
    }
    expect(lease.ask("a", 100).result).toBe("granted");
  });

  test("of one device count once, however often it fails", () => {
    const lease = story(2);
    for (let index = 0; index < 10; index++) {
      lease.ask("x", index * 10);
      lease.release("x", index * 10 + 1, "404 Not Found");
    }
    expect(lease.ask("a", 200).result).toBe("granted");
  });

  test("of all devices of a subnet end the attempts, whatever they did before", () => {
    const lease = story(2);
    for (const device of ["x", "y"]) {
      lease.ask(device, 0);
      lease.release(device, 1, "404 Not Found", 0, false);
    }
    expect(lease.ask("x", 2).result).toBe("failed");
  });
});
