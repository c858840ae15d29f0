import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../model/chunk-set.ts";
import type { MemberEvent } from "./events.ts";
import { step } from "./step.ts";
import { memberForTest } from "./testing-member.ts";
import { timing } from "./timing.ts";

const chunkCount = 8;

const seek = (device: string, haveCount: number): MemberEvent => ({
  type: "FrameReceived",
  frame: {
    type: "seek",
    device,
    haveCount,
    missing: [haveCount, chunkCount - haveCount],
    lanPort: 7_000,
    term: 1,
    symbolMaxBytes: 1_400,
  },
  from: { address: "10.0.0.2", sender: device },
});

/**
 * Lets a member lead while a device sends a SEEK every second. Returns how long it led, ms.
 */
function leadsUntilMs(haveCountAt: (second: number) => number): number {
  const held = ChunkSet.full(chunkCount);
  const rank = { kind: "score", score: 1 } as const;
  const member = memberForTest({ held, rank: () => rank }, { useMulticast: false, wanFallback: "never" });
  step(member, { type: "Started" }, 0);
  let nowMs = 0;
  for (; member.role === "candidate" && nowMs < 10_000; nowMs += 50) {
    for (const effect of step(member, { type: "TimerFired" }, nowMs))
      if (effect.do === "RequestLease")
        step(member, { type: "LeaseAnswered", answer: { result: "granted", term: 1, before: null } }, nowMs);
  }
  expect(member.role).toBe("representative");
  const ledFromMs = nowMs;
  for (; member.role === "representative" && nowMs < ledFromMs + 60_000; nowMs += 50) {
    if (nowMs % 1_000 === 0)
      step(member, seek("00000000000000bb", haveCountAt(Math.floor(nowMs / 1_000))), nowMs);
    for (const effect of step(member, { type: "TimerFired" }, nowMs))
      if (effect.do === "RequestLease")
        step(member, { type: "LeaseAnswered", answer: { result: "granted", term: 1, before: null } }, nowMs);
  }
  return nowMs - ledFromMs;
}

test("a device that asks again and again, and gets no further, does not keep a session open", () => {
  expect(leadsUntilMs(() => 3)).toBeLessThan(timing.serveMs + 5_000);
});

test("a device that gets further keeps the session open", () => {
  expect(leadsUntilMs((second) => second % chunkCount)).toBeGreaterThan(50_000);
});

/**
 * Lets a member lead and download, whose source can fall silent.
 * @param isGranted whether the source answered at the election
 */
function startsLeading(setting: Parameters<typeof memberForTest>[1] = {}, isGranted = true) {
  const rank = { kind: "score", score: 1 } as const;
  const member = memberForTest({ held: new ChunkSet(chunkCount), rank: () => rank, lanPort: 0 }, setting);
  let nowMs = 0;
  let isSourceSilent = !isGranted;
  /** Runs until a time, 50 ms at a step. */
  const runTo = (untilMs: number): void => {
    for (; nowMs < untilMs; nowMs += 50)
      for (const effect of step(member, { type: "TimerFired" }, nowMs))
        if (effect.do === "RequestLease") {
          const answer = isSourceSilent
            ? ({ result: "unreachable" } as const)
            : ({ result: "granted", term: 1, before: null } as const);
          step(member, { type: "LeaseAnswered", answer }, nowMs);
        }
  };
  step(member, { type: "Started" }, 0);
  runTo(5_000);
  expect(member).toMatchObject({ role: "representative", isDownloading: true });
  return {
    member,
    runTo,
    follow: () => step(member, seek("00000000000000bb", 3), nowMs),
    setSource: (silent: boolean) => void (isSourceSilent = silent),
  };
}

describe("when the lease has run out because the source is silent", () => {
  test("a representative that nobody follows pauses its download, for one to two minutes", () => {
    const { member, runTo, setSource } = startsLeading();
    setSource(true);
    runTo(15_000);
    expect(member.isDownloading).toBe(true);
    runTo(25_000);
    expect(member).toMatchObject({ role: "representative", isDownloading: false });
    runTo(25_000 + timing.fallbackMs);
    expect(member.isDownloading).toBe(false);
    runTo(25_000 + 2 * timing.fallbackMs);
    expect(member.isDownloading).toBe(true);
  });

  test("the download continues once the source answers, or a device follows", () => {
    const { member, runTo, setSource, follow } = startsLeading();
    setSource(true);
    runTo(30_000);
    expect(member.isDownloading).toBe(false);
    setSource(false);
    runTo(34_000);
    expect(member.isDownloading).toBe(true);
    setSource(true);
    runTo(60_000);
    expect(member.isDownloading).toBe(false);
    follow();
    runTo(61_000);
    expect(member.isDownloading).toBe(true);
    runTo(200_000);
    expect(member.isDownloading).toBe(true);
  });

  test("the pause has no end with wanFallback=never", () => {
    const { member, runTo, setSource } = startsLeading({ wanFallback: "never" });
    setSource(true);
    runTo(600_000);
    expect(member).toMatchObject({ role: "representative", isDownloading: false });
  });

  test("a representative that the election alone chose downloads without a lease", () => {
    const { member, runTo } = startsLeading({}, false);
    runTo(60_000);
    expect(member.isDownloading).toBe(true);
  });
});
