import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import type { Effect, FallbackAnswer } from "../events.ts";
import type { Member } from "../member.ts";
import { memberForTest } from "../testing-member.ts";
import { timing } from "../timing.ts";
import { mayUseWan, onFallbackAnswer, requestFallback } from "./wan-fallback.ts";

const nowMs = 100_000;

/** A member that no other device serves since `fromMs`. */
function unserved(
  fromMs: number | null,
  wanFallback: "never" | "last-resort" = "last-resort",
  random = 0,
): Member {
  const member = memberForTest({ held: new ChunkSet(8), random: () => random }, { wanFallback });
  member.fallback.fromMs = fromMs;
  return member;
}
/** Removes and returns the effects of a member. */
const takeEffects = (member: Member): Effect["do"][] => member.effects.splice(0).map((effect) => effect.do);

test.each([
  [null, "last-resort", false],
  [nowMs + 1, "last-resort", false],
  [nowMs, "last-resort", true],
  [nowMs - 5_000, "last-resort", true],
  [nowMs - 5_000, "never", false],
] as const)("a device may use the WAN from %p on with the setting %s: %p", (fromMs, setting, may) => {
  expect(mayUseWan(unserved(fromMs, setting), nowMs)).toBe(may);
});

test("a device asks for a fallback token at once, and renews it every fallbackRenewMs", () => {
  const member = unserved(nowMs);
  const askedMs: number[] = [];
  for (let atMs = nowMs; atMs <= nowMs + 50_000; atMs += 1_000) {
    requestFallback(member, atMs);
    if (takeEffects(member).includes("RequestFallback")) askedMs.push(atMs - nowMs);
  }
  expect(askedMs).toEqual([0, timing.fallbackRenewMs, 2 * timing.fallbackRenewMs]);
});

describe("the answer to a request for a token", () => {
  const refused: FallbackAnswer = { result: "refused", retryAfterMs: 8_000 };
  type Row = [
    answer: FallbackAnswer,
    fromMs: number | null,
    setting: "never" | "last-resort",
    effects: Effect["do"][],
  ];
  test.each<Row>([
    [{ result: "granted" }, nowMs, "last-resort", ["StartDownload"]],
    [{ result: "unreachable" }, nowMs, "last-resort", ["StartDownload"]],
    [refused, nowMs, "last-resort", []],
    // Bytes arrived since the request.
    [{ result: "granted" }, null, "last-resort", []],
    [{ result: "unreachable" }, null, "last-resort", []],
    [{ result: "granted" }, nowMs, "never", []],
  ])(
    "%j, with the WAN allowed from %p on and the setting %s, has the effects %j",
    (answer, fromMs, setting, effects) => {
      const member = unserved(fromMs, setting);
      onFallbackAnswer(member, answer, nowMs);
      expect(takeEffects(member)).toEqual(effects);
      expect(member.isDownloading).toBe(effects.length > 0);
    },
  );

  test("ends a download when the token is refused, and continues it when it is renewed", () => {
    const member = unserved(nowMs);
    onFallbackAnswer(member, { result: "granted" }, nowMs);
    onFallbackAnswer(member, { result: "granted" }, nowMs + 20_000);
    expect(takeEffects(member)).toEqual(["StartDownload"]);
    onFallbackAnswer(member, refused, nowMs + 40_000);
    expect(takeEffects(member)).toEqual(["StopDownload"]);
  });

  test.each([
    [0, 8_000],
    [0.5, 10_000],
    [1, 12_000],
  ])("that refuses it for 8 s, with random number %p, delays the next request by %d ms", (random, waitMs) => {
    const member = unserved(nowMs, "last-resort", random);
    requestFallback(member, nowMs);
    onFallbackAnswer(member, refused, nowMs + 10);
    takeEffects(member);
    requestFallback(member, nowMs + 10 + waitMs - 1);
    expect(takeEffects(member)).toEqual([]);
    requestFallback(member, nowMs + 10 + waitMs);
    expect(takeEffects(member)).toEqual(["RequestFallback"]);
  });
});
