import { expect, test } from "bun:test";
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
