import { describe, expect, test } from "bun:test";
import type { ControlFrame } from "../wire/index.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { step } from "./step.ts";
import { announceForTest, memberForTest } from "./testing-member.ts";
import { needDelayMs } from "./timing.ts";

const chunkCount = 64;
const leader = "00000000000000bb";

/** A peer of one representative. Every chunk of `started` is missing two symbols of block 1. */
function peer(
  started: ReadonlySet<number>,
  currentChunk: number | null,
  { held, castCount } = { held: new ChunkSet(chunkCount), castCount: 0 },
) {
  const member = memberForTest({
    held,
    missingSymbols: (chunk, add) => {
      if (started.has(chunk)) add(1, 2);
      return started.has(chunk);
    },
    currentChunk: () => currentChunk,
  });
  let nowMs = 0;
  step(member, { type: "Started" }, nowMs);
  const receive = (frame: ControlFrame): void => {
    nowMs++;
    step(member, { type: "FrameReceived", frame, from: { address: "10.0.0.2", sender: "1" } }, nowMs);
  };
  receive(
    announceForTest({ device: leader, term: 1, phase: 1, frontCount: chunkCount, castCount, audience: 4 }),
  );
  return {
    end: (pass: number, castRanges: number[]): void =>
      receive({ type: "end", device: leader, term: 1, pass, castRanges, symbolsSent: 0, sentAtMs: nowMs }),
    /** Runs until every delay is over; returns the entries of the NEEDs sent meanwhile. */
    asks: (): (readonly number[])[] => {
      const asked: (readonly number[])[] = [];
      for (const untilMs = nowMs + needDelayMs(4); nowMs <= untilMs; nowMs++)
        for (const effect of step(member, { type: "TimerFired" }, nowMs))
          if (effect.do === "SendFrame" && effect.frame.type === "need") asked.push(effect.frame.entries);
      return asked;
    },
  };
}

test("asks for repair of every started chunk when the next END reveals a lost one", () => {
  const { end, asks } = peer(new Set([3, 9]), null);
  end(1, [0, 1]);
  expect(asks()).toEqual([[0, 0xff_ff, 1]]);
  end(3, [9, 1]);
  expect(asks()).toEqual([[3, 1, 2, 9, 1, 2]]);
});

test("leaves out the chunk in transmission when it reconstructs a lost END", () => {
  const { end, asks } = peer(new Set([3, 10]), 10);
  end(1, [0, 1]);
  asks();
  end(3, [9, 1]);
  expect(asks()).toEqual([[3, 1, 2, 9, 0xff_ff, 1]]);
});

test("takes neither several frames of one END nor consecutive ENDs for a lost END", () => {
  const { end, asks } = peer(new Set([3, 9]), null);
  end(1, [0, 1]);
  end(1, [1, 1]);
  expect(asks()).toEqual([[0, 0xff_ff, 2]]);
  end(2, [9, 1]);
  expect(asks()).toEqual([[9, 1, 2]]);
});

test("asks for every missing chunk it knows of after a flush", () => {
  const { end, asks } = peer(new Set([9, 30]), null);
  end(1, [3, 2]);
  expect(asks()).toEqual([[3, 0xff_ff, 2]]);
  // The NEED for 3 and 4 was lost. Symbols of 30 were received. Other chunks that were sent are
  // unknown to this peer, and it does not ask for them.
  end(2, []);
  expect(asks()).toEqual([[3, 0xff_ff, 2, 9, 1, 2, 30, 1, 2]]);
});

const held = (count: number) => ChunkSet.fromRanges(chunkCount, [0, count])!;

describe("chunks lost together with their END", () => {
  test("are asked for after a flush when they are few", () => {
    const { end, asks } = peer(new Set(), null, { held: held(56), castCount: 0 });
    end(1, [56, 2]);
    expect(asks()).toEqual([[56, 0xff_ff, 2]]);
    end(3, []);
    expect(asks()).toEqual([[56, 0xff_ff, 8]]);
  });

  test("are not asked for when they are many: they were sent before this device listened", () => {
    const { end, asks } = peer(new Set(), null, { held: held(53), castCount: 0 });
    end(1, [60, 2]);
    expect(asks()).toEqual([[60, 0xff_ff, 2]]);
    end(3, []);
    expect(asks()).toEqual([[60, 0xff_ff, 2]]);
  });

  test("are not asked for by a device that joined late", () => {
    const { end, asks } = peer(new Set(), null, { held: held(60), castCount: 30 });
    end(1, [60, 1]);
    expect(asks()).toEqual([]);
    end(3, []);
    expect(asks()).toEqual([]);
  });
});
