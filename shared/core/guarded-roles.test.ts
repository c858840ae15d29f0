/** Guards in each role: what a device does when a guard begins, and when it ends. */
import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../model/chunk-set.ts";
import type { Effect, LeaseAnswer, MemberEvent } from "./events.ts";
import type { Member } from "./member.ts";
import { step } from "./step.ts";
import { announceForTest, memberForTest } from "./testing-member.ts";
import { timing } from "./timing.ts";

const why = "on battery";
const rival = "00000000000000bb";
const timer: MemberEvent = { type: "TimerFired" };
const answers = (answer: LeaseAnswer): MemberEvent => ({ type: "LeaseAnswered", answer });
const granted = answers({ result: "granted", term: 1, before: null });
const announces: MemberEvent = {
  type: "FrameReceived",
  frame: announceForTest({ device: rival, term: 2 }),
  from: { address: "10.0.0.2", sender: rival },
};
const roleOf = ({ state }: Member): string => (state.role === "candidate" ? state.stage.kind : state.role);
const framesOf = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) => (effect.do === "SendFrame" ? [effect.frame.type] : []));
const requestsOf = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) =>
    effect.do === "RequestLease"
      ? [effect.query ? "query" : "request"]
      : effect.do === "ReleaseLease"
        ? ["release"]
        : [],
  );

/** A member that may lead, and a guard to switch on and off. */
function guardedMember(setting: Parameters<typeof memberForTest>[1] = {}) {
  const guard: { why: string | null } = { why: null };
  const member = memberForTest({ held: new ChunkSet(8), guard: () => guard.why }, setting);
  let nowMs = 0;
  const happens = (event: MemberEvent): Effect[] => step(member, event, nowMs);
  /** Runs until a time, and answers each request for the lease. */
  const runTo = (untilMs: number, answer: MemberEvent | null = granted): Effect[] => {
    const effects: Effect[] = [];
    for (; nowMs < untilMs; nowMs += 50) {
      effects.push(...happens(timer));
      const isRequest = effects.at(-1) && effects.some((one) => one.do === "RequestLease" && !one.query);
      if (isRequest && answer !== null && member.role === "candidate") effects.push(...happens(answer));
    }
    return effects;
  };
  happens({ type: "Started" });
  return { member, guard, happens, runTo };
}

function representative(setting: Parameters<typeof memberForTest>[1] = {}) {
  const parts = guardedMember(setting);
  parts.runTo(5_000);
  expect(roleOf(parts.member)).toBe("representative");
  return parts;
}

describe("a guard that begins", () => {
  test("makes a representative resign, give the lease back and look for the next one", () => {
    const { member, guard, happens, runTo } = representative();
    guard.why = why;
    const effects = happens(timer);
    expect(effects).toContainEqual({
      do: "SendFrame",
      context: "task",
      frame: { type: "resign", device: member.config.device, term: 1, reason: why },
    });
    expect(requestsOf(effects)).toEqual(["release"]);
    expect(roleOf(member)).toBe("observing");
    expect(member.isDownloading).toBe(false);
    const later = runTo(30_000);
    expect(framesOf(later)).not.toContain("claim");
    expect(requestsOf(later)).not.toContain("request");
    happens(announces);
    expect(roleOf(member)).toBe("peer");
  });

  test("ends the session of a representative whose package is complete", () => {
    const { member, guard, happens } = representative();
    for (let chunk = 0; chunk < 8; chunk++) member.config.held.add(chunk);
    happens({ type: "PackageVerified" });
    guard.why = why;
    expect(framesOf(happens(timer))).toContain("resign");
    expect(member.state).toEqual({ role: "idle", why, retryAtMs: null });
  });

  test("keeps a candidate from its claim", () => {
    const { member, guard, runTo } = guardedMember();
    runTo(200);
    expect(roleOf(member)).toBe("listening");
    guard.why = why;
    const effects = runTo(20_000);
    expect(roleOf(member)).toBe("observing");
    expect(framesOf(effects)).not.toContain("claim");
    expect(requestsOf(effects)).not.toContain("request");
  });

  test("withdraws a claim, and gives back a lease that is granted afterwards", () => {
    const { member, guard, happens, runTo } = guardedMember();
    runTo(5_000, null);
    expect(roleOf(member)).toBe("requesting");
    guard.why = why;
    const effects = happens(timer);
    expect(framesOf(effects)).toContain("resign");
    expect(requestsOf(effects)).toContain("release");
    expect(roleOf(member)).toBe("observing");
    expect(requestsOf(happens(granted))).toEqual(["release"]);
    expect(roleOf(member)).toBe("observing");
  });

  test("wins against a lease that is granted in the same step", () => {
    const { member, guard, happens, runTo } = guardedMember();
    runTo(5_000, null);
    guard.why = why;
    expect(requestsOf(happens(granted))).toContain("release");
    expect(roleOf(member)).toBe("observing");
  });

  test("lets a peer follow its representative, and keeps it from succeeding it", () => {
    const { member, guard, happens, runTo } = guardedMember();
    happens(announces);
    guard.why = why;
    happens(timer);
    expect(roleOf(member)).toBe("peer");
    const effects = runTo(60_000);
    expect(roleOf(member)).toBe("observing");
    expect(framesOf(effects)).not.toContain("claim");
  });

  test("ends a download of the WAN fallback that the setting does not allow any more", () => {
    const setting: { wanFallback: "never" | "last-resort" } = { wanFallback: "last-resort" };
    const { member, guard, happens, runTo } = guardedMember(setting);
    guard.why = why;
    runTo(2.5 * timing.fallbackMs);
    happens({ type: "FallbackAnswered", answer: { result: "granted" } });
    expect(member).toMatchObject({ role: "candidate", isDownloading: true });
    setting.wanFallback = "never";
    expect(happens(timer)).toContainEqual({ do: "StopDownload" });
    expect(member.isDownloading).toBe(false);
  });
});

describe("a guard that ends", () => {
  test("lets the device stand for election again", () => {
    const { member, guard, happens, runTo } = representative();
    guard.why = why;
    happens(timer);
    runTo(20_000);
    guard.why = null;
    happens(timer);
    expect(roleOf(member)).toBe("listening");
    runTo(30_000);
    expect(roleOf(member)).toBe("representative");
  });

  test("does not let a device of weight 0 claim", () => {
    const guard: { why: string | null } = { why };
    const member = memberForTest({
      held: new ChunkSet(8),
      guard: () => guard.why,
      rank: () => ({ kind: "never" }),
    });
    step(member, { type: "Started" }, 0);
    guard.why = null;
    for (let nowMs = 0; nowMs < 30_000; nowMs += 50)
      expect(framesOf(step(member, timer, nowMs))).not.toContain("claim");
    expect(roleOf(member)).toBe("observing");
  });
});
