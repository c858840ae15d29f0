import { describe, expect, test } from "bun:test";
import { getEventListeners } from "node:events";
import { TestClock } from "../simulation/testing.ts";
import { repeat, sleep } from "./clock.ts";

/** State of a promise after the reactions that the clock ran. */
function follow(promise: Promise<void>): { state: string } {
  const followed = { state: "pending" };
  promise.then(
    () => (followed.state = "resolved"),
    (error: unknown) => (followed.state = `rejected: ${String(error)}`),
  );
  return followed;
}

describe("sleep", () => {
  test("resolves after its delay and not before", () => {
    const clock = new TestClock();
    const slept = follow(sleep(clock, 1_000));
    clock.advance(999);
    expect(slept.state).toBe("pending");
    clock.advance(1);
    expect(slept.state).toBe("resolved");
  });

  test("rejects with the reason when its signal is aborted before", () => {
    const clock = new TestClock();
    const abort = new AbortController();
    const slept = follow(sleep(clock, 1_000, abort.signal));
    clock.advance(500);
    abort.abort("stopped");
    clock.advance(0);
    expect(slept.state).toBe("rejected: stopped");
    expect(clock.waiting).toBe(0);
  });

  test("rejects at once, without a timer, when its signal was aborted earlier", () => {
    const clock = new TestClock();
    const slept = follow(sleep(clock, 1_000, AbortSignal.abort("stopped")));
    clock.advance(0);
    expect(slept.state).toBe("rejected: stopped");
    expect(clock.waiting).toBe(0);
  });

  test("does not keep its signal after it resolved", () => {
    const clock = new TestClock();
    const { signal } = new AbortController();
    follow(sleep(clock, 1_000, signal));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    clock.advance(1_000);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("repeat", () => {
  test("runs at every interval, first after one, until it is stopped", () => {
    const clock = new TestClock();
    const ranAtMs: number[] = [];
    const stop = repeat(clock, 100, () => ranAtMs.push(clock.nowMs()));
    clock.advance(350);
    stop();
    expect(clock.waiting).toBe(0);
    clock.advance(1_000);
    expect(ranAtMs).toEqual([100, 200, 300]);
  });

  test("ends when it is stopped during a run", () => {
    const clock = new TestClock();
    let runs = 0;
    const stop = repeat(clock, 100, () => {
      if (++runs === 2) stop();
    });
    clock.advance(1_000);
    expect(runs).toBe(2);
  });

  test("continues after a run that throws", () => {
    const clock = new TestClock();
    let runs = 0;
    repeat(clock, 100, () => {
      if (++runs === 1) throw new Error("the first run fails");
    });
    expect(() => clock.advance(100)).toThrow("the first run fails");
    clock.advance(200);
    expect(runs).toBe(3);
  });
});
