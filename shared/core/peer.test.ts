import { describe, expect, test } from "bun:test";
import type { ControlFrame } from "../wire/index.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { Member } from "./member.ts";
import { step } from "./step.ts";
import { needDelayMs } from "./timing.ts";

const chunkCount = 64;
const leader = "00000000000000bb";

/** A peer that hears one representative; every chunk of `begun` lacks two symbols of its block 1. */
function peer(
  begun: ReadonlySet<number>,
  currentChunk: number | null,
  { held, castCount } = { held: new ChunkSet(chunkCount), castCount: 0 },
) {
  const member = new Member({
    device: "00000000000000aa",
    lanPort: 7_000,
    held,
    missingSymbols: (chunk, add) => {
      if (begun.has(chunk)) add(1, 2);
      return begun.has(chunk);
    },
    currentChunk: () => currentChunk,
    sendShares: () => 1,
    rank: () => ({ kind: "score", score: 0.5 }),
    random: () => 0.5,
    symbolSizeBytes: 1_400,
    setting: () => ({
      useMulticast: true,
      receivesMulticast: true,
      sessionStartDelayMs: 0,
      lanRateBps: null,
      wanFallback: "last-resort",
      useDeputy: true,
    }),
  });
  let nowMs = 0;
  step(member, { type: "Started" }, nowMs);
  const hear = (frame: ControlFrame): void => {
    nowMs++;
    step(member, { type: "FrameReceived", frame, from: { address: "10.0.0.2", sender: "1" } }, nowMs);
  };
  hear({
    type: "announce",
    device: leader,
    term: 1,
    ticket: 1,
    phase: 1,
    lanPort: 1,
    symbolSizeBytes: 1_400,
    startsInMs: 0,
    frontCount: chunkCount,
    castCount,
    pass: 0,
    audience: 4,
    rateBps: 1e8,
  });
  return {
    end: (pass: number, castRanges: number[]): void =>
      hear({ type: "end", device: leader, term: 1, pass, castRanges, symbolsSent: 0, sentAtMs: nowMs }),
    /** What it asks for from now on, until every delay is over. */
    asks: (): (readonly number[])[] => {
      const asked: (readonly number[])[] = [];
      for (const untilMs = nowMs + needDelayMs(4); nowMs <= untilMs; nowMs++)
        for (const effect of step(member, { type: "TimerFired" }, nowMs))
          if (effect.do === "SendFrame" && effect.frame.type === "need") asked.push(effect.frame.entries);
      return asked;
    },
  };
}

test("an END that was lost named what symbols came of, as the next END shows", () => {
  const { end, asks } = peer(new Set([3, 9]), null);
  end(1, [0, 1]);
  expect(asks()).toEqual([[0, 0xff_ff, 1]]);
  end(3, [9, 1]);
  expect(asks()).toEqual([[3, 1, 2, 9, 1, 2]]);
});

test("what is being sent at that time was not named by it", () => {
  const { end, asks } = peer(new Set([3, 10]), 10);
  end(1, [0, 1]);
  asks();
  end(3, [9, 1]);
  expect(asks()).toEqual([[3, 1, 2, 9, 0xff_ff, 1]]);
});

test("several frames of one END, and ENDs in a row, hide none", () => {
  const { end, asks } = peer(new Set([3, 9]), null);
  end(1, [0, 1]);
  end(1, [1, 1]);
  expect(asks()).toEqual([[0, 0xff_ff, 2]]);
  end(2, [9, 1]);
  expect(asks()).toEqual([[9, 1, 2]]);
});

test("an END that names no chunk has everything asked for that this device knows of", () => {
  const { end, asks } = peer(new Set([9, 30]), null);
  end(1, [3, 2]);
  expect(asks()).toEqual([[3, 0xff_ff, 2]]);
  // Its NEED was lost. Of 30 symbols came; what else was sent it never heard of: that is no repair's matter.
  end(2, []);
  expect(asks()).toEqual([[3, 0xff_ff, 2, 9, 1, 2, 30, 1, 2]]);
});

const held = (count: number) => ChunkSet.fromRanges(chunkCount, [0, count])!;

describe("chunks that were lost together with their END", () => {
  test("a few are asked for once everything was sent", () => {
    const { end, asks } = peer(new Set(), null, { held: held(56), castCount: 0 });
    end(1, [56, 2]);
    expect(asks()).toEqual([[56, 0xff_ff, 2]]);
    end(3, []);
    expect(asks()).toEqual([[56, 0xff_ff, 8]]);
  });

  test("more than that were sent when this device did not listen", () => {
    const { end, asks } = peer(new Set(), null, { held: held(53), castCount: 0 });
    end(1, [60, 2]);
    expect(asks()).toEqual([[60, 0xff_ff, 2]]);
    end(3, []);
    expect(asks()).toEqual([[60, 0xff_ff, 2]]);
  });

  test("a device that came late lost none", () => {
    const { end, asks } = peer(new Set(), null, { held: held(60), castCount: 30 });
    end(1, [60, 1]);
    expect(asks()).toEqual([]);
    end(3, []);
    expect(asks()).toEqual([]);
  });
});
