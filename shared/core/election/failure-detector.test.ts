import { describe, expect, test } from "bun:test";
import { timing } from "../timing.ts";
import { FailureDetector } from "./failure-detector.ts";

/** Silence after which a representative is given up, without the random part. */
const silenceMs = 3 * timing.announceEveryMs;
const startMs = 5_000;

type Case = [what: string, change: (detector: FailureDetector) => void, suspects: number, accepts: number];

describe("a failure detector", () => {
  test.each([
    [0, silenceMs],
    [0.5, silenceMs + timing.silenceJitterMs / 2],
    [1, silenceMs + timing.silenceJitterMs],
  ])("with random number %p suspects after %p ms of silence", (random, afterMs) => {
    const detector = new FailureDetector(startMs, random);
    expect(detector.suspectsAtMs).toBe(startMs + afterMs);
    expect(detector.acceptsNewSenderAtMs).toBe(startMs + afterMs - timing.announceEveryMs);
  });

  // Times by which both deadlines move, in milliseconds.
  test.each<Case>([
    ["an announcement moves both deadlines", (d) => d.onAnnouncement(startMs + 900), 900, 900],
    ["a symbol moves the suspicion only", (d) => d.onActivity(startMs + 900), 900, 0],
    ["an announcement of the past moves nothing", (d) => d.onAnnouncement(startMs - 100), 0, 0],
    ["a stall moves both by its duration", (d) => d.creditStall(startMs + 5_000, 1_200), 1_200, 1_200],
    ["a stall moves neither beyond its end", (d) => d.creditStall(startMs + 1_000, 60_000), 1_000, 1_000],
    ["a stall of 0 ms moves nothing", (d) => d.creditStall(startMs + 1_000, 0), 0, 0],
  ])("%s", (_, change, suspectsMs, acceptsMs) => {
    const detector = new FailureDetector(startMs, 0);
    change(detector);
    expect(detector.suspectsAtMs).toBe(startMs + silenceMs + suspectsMs);
    expect(detector.acceptsNewSenderAtMs).toBe(startMs + silenceMs - timing.announceEveryMs + acceptsMs);
  });

  test("credits each deadline from its own last sign when a stall follows symbols", () => {
    const detector = new FailureDetector(startMs, 0);
    detector.onActivity(startMs + 800);
    detector.creditStall(startMs + 2_000, 1_000);
    expect(detector.suspectsAtMs).toBe(startMs + silenceMs + 1_800);
    expect(detector.acceptsNewSenderAtMs).toBe(startMs + silenceMs - timing.announceEveryMs + 1_000);
  });
});
