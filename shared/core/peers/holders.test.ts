import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import { failurePenaltyMsMax, fetchesMax, Holders, holdersMax, type Fetch, type Holder } from "./holders.ts";

const chunkCount = 16;
const nothing = new ChunkSet(chunkCount);
const all = ChunkSet.full(chunkCount);
const from = (first: number, count = 1): ChunkSet => ChunkSet.fromRanges(chunkCount, [first, count])!;
const holder = (number: number, device = `device ${number}`): Holder => ({
  device,
  address: `10.0.0.${number}`,
  lanPort: 7_000,
});

/** Holders of the whole package, each with a load in percent. */
function holdersOf(...loads: number[]): Holders {
  const holders = new Holders(chunkCount);
  for (const [i, load] of loads.entries()) holders.update(holder(i + 1), all, load);
  return holders;
}
/** Starts the next fetch at a time, of these chunks only if given; fails when there is none. */
function fetchOf(holders: Holders, nowMs = 0, among: ChunkSet | null = null): Fetch {
  const fetch = holders.next(nothing, nowMs, 0, among);
  if (!fetch) throw new Error("no holder is free");
  return fetch;
}

type Outcome = Parameters<Holders["finished"]>[1];

describe("the next fetch", () => {
  test("asks the holder with the fewest fetches in flight, then the least load", () => {
    const holders = holdersOf(30, 10, 20);
    const asked = Array.from({ length: fetchesMax }, () => fetchOf(holders).holder.device);
    expect(asked).toEqual(["device 2", "device 3", "device 1", "device 2"]);
  });

  test("asks the holder that served least when the loads are equal", () => {
    const holders = holdersOf(0, 0);
    const first = fetchOf(holders);
    holders.finished(first, "served", 0);
    expect(fetchOf(holders).holder).not.toEqual(first.holder);
  });

  test("is not started beyond two at a holder and four in total", () => {
    const one = holdersOf(0);
    expect([1, 2, 3].map(() => one.next(nothing, 0)?.chunk)).toEqual([0, 1, undefined]);
    const many = holdersOf(0, 0, 0);
    expect([1, 2, 3, 4, 5].map(() => many.next(nothing, 0)?.chunk)).toEqual([0, 1, 2, 3, undefined]);
    expect(many.fetching).toBe(4);
  });

  test.each<[what: string, held: ChunkSet, start: number, among: ChunkSet | null, chunk: number | undefined]>(
    [
      ["the first missing chunk", from(0, 3), 0, null, 3],
      ["the first missing chunk from its start", from(0, 3), 9, null, 9],
      ["a chunk before its start when all behind are held", from(3, 13), 9, null, 0],
      ["only the chunks to choose from", nothing, 0, from(7), 7],
      ["chunks to choose from before its start", nothing, 9, from(7), 7],
      ["nothing when all is held", all, 0, null, undefined],
      ["nothing when the chunks to choose from are held", from(7), 0, from(7), undefined],
    ],
  )("takes %s", (_, held, start, among, chunk) => {
    expect(holdersOf(0).next(held, 0, start, among)?.chunk).toBe(chunk);
  });

  test("asks only holders of the chunk", () => {
    const holders = new Holders(chunkCount);
    holders.update(holder(1), from(4), 0);
    holders.update(holder(2), from(2), 90);
    expect(fetchOf(holders)).toEqual({ chunk: 2, holder: holder(2) });
    expect(fetchOf(holders)).toEqual({ chunk: 4, holder: holder(1) });
    expect(holders.next(nothing, 0)).toBeNull();
  });
});

/** Whether the chunks of the only holder count as held by the subnet. */
const isBelieved = (holders: Holders, nowMs: number, chunk = 0): boolean => {
  expect(holders.holds(chunk, nowMs)).toBe(holders.heldChunks(nowMs).has(chunk));
  return holders.holds(chunk, nowMs);
};
/** Whether the only holder is asked for a chunk at a time. */
const isAsked = (holders: Holders, nowMs: number, chunk: number): boolean => {
  isBelieved(holders, nowMs, chunk);
  return holders.next(nothing, nowMs, 0, from(chunk)) !== null;
};

describe("the outcome of a fetch decides when its holder is asked for the chunk again", () => {
  const never = Number.POSITIVE_INFINITY;

  test.each<[Outcome, sameAtMs: number, otherAtMs: number]>([
    ["served", 0, 0],
    ["not-found", never, 0],
    ["busy", 200, 200],
    ["failed", 3_000, 3_000],
    ["wrong", never, never],
  ])("%s: for this chunk after %p ms, for another one after %p ms", (outcome, sameAtMs, otherAtMs) => {
    for (const [chunk, atMs] of [
      [0, sameAtMs],
      [1, otherAtMs],
    ] as const) {
      const holders = holdersOf(0);
      holders.finished(fetchOf(holders), outcome, 0);
      if (atMs > 0) expect(isAsked(holders, Math.min(atMs, 1e9) - 1, chunk)).toBe(false);
      if (atMs < never) expect(isAsked(holders, atMs, chunk)).toBe(true);
    }
  });

  test("failed: after a back-off that doubles to one minute, and from the start after a success", () => {
    const holders = holdersOf(0);
    let nowMs = 0;
    for (const penaltyMs of [
      3_000,
      6_000,
      12_000,
      24_000,
      48_000,
      failurePenaltyMsMax,
      failurePenaltyMsMax,
    ]) {
      holders.finished(fetchOf(holders, nowMs), "failed", nowMs);
      expect(holders.next(nothing, nowMs + penaltyMs - 1)).toBeNull();
      nowMs += penaltyMs;
    }
    holders.finished(fetchOf(holders, nowMs), "served", nowMs);
    holders.finished(fetchOf(holders, nowMs), "failed", nowMs);
    expect(holders.next(nothing, nowMs + 2_999)).toBeNull();
    expect(fetchOf(holders, nowMs + 3_000).chunk).toBe(0);
  });

  test("failed: its chunks are left to the WAN until one of them came", () => {
    const holders = holdersOf(0);
    expect(isBelieved(holders, 0)).toBe(true);
    holders.finished(fetchOf(holders), "failed", 0);
    expect(isBelieved(holders, 1e9)).toBe(false);
    // The next fetch is a trial: one at a time, and the WAN does not wait for it.
    const trial = fetchOf(holders, 3_000);
    expect(holders.next(nothing, 3_000)).toBeNull();
    expect(holders.isFetching(trial.chunk)).toBe(false);
    expect(isBelieved(holders, 3_000)).toBe(false);
    holders.finished(trial, "served", 3_100);
    expect(isBelieved(holders, 3_100)).toBe(true);
  });

  test("failed at two holders: an untried third one is believed after its first chunk", () => {
    const holders = holdersOf(0, 0);
    for (const fetch of [fetchOf(holders), fetchOf(holders)]) holders.finished(fetch, "failed", 0);
    holders.update(holder(3), all, 0);
    expect(isBelieved(holders, 0)).toBe(false);
    holders.finished(fetchOf(holders), "served", 0);
    expect(isBelieved(holders, 0)).toBe(true);
  });

  test("busy: after holders of a lower load", () => {
    const holders = holdersOf(0, 60);
    holders.finished(fetchOf(holders), "busy", 0);
    expect(fetchOf(holders, 200).holder).toEqual(holder(2));
  });

  test("wrong: never, though the holder states chunks again under another id", () => {
    const holders = holdersOf(0);
    holders.finished(fetchOf(holders), "wrong", 0);
    holders.update(holder(1, "another id"), all, 0);
    expect(holders.next(nothing, 1e9)).toBeNull();
  });
});

test("a device that uses the id of a holder does not have that holder banned", () => {
  const holders = holdersOf(50);
  holders.update(holder(9, "device 1"), all, 0);
  const fetch = fetchOf(holders);
  expect(fetch.holder).toEqual(holder(9, "device 1"));
  holders.finished(fetch, "wrong", 0);
  expect(fetchOf(holders).holder).toEqual(holder(1));
});

describe("what a holder states", () => {
  test.each<[what: string, replaces: boolean, chunks: number[]]>([
    ["is added", false, [0, 1, 8]],
    ["replaces what is known when it is complete", true, [8]],
  ])("%s", (_, replaces, chunks) => {
    const holders = new Holders(chunkCount);
    holders.update(holder(1), from(0, 2), 0);
    holders.update(holder(1), from(8), 0, replaces);
    expect([...holders.heldChunks(0)]).toEqual(chunks);
  });

  test("is ignored when the holder has no port", () => {
    const holders = new Holders(chunkCount);
    holders.update({ ...holder(1), lanPort: 0 }, all, 0);
    expect(holders.count).toBe(0);
  });

  test("is copied", () => {
    const chunks = from(0);
    const holders = new Holders(chunkCount);
    holders.update(holder(1), chunks, 0);
    chunks.add(5);
    expect([...holders.heldChunks(0)]).toEqual([0]);
  });
});

describe("a departed device", () => {
  test("frees its fetches at once, and their late outcome changes nothing", () => {
    const holders = holdersOf(0);
    const lost = fetchOf(holders);
    holders.update(holder(2), all, 0);
    holders.forget("device 1");
    expect(holders.isFetching(lost.chunk)).toBe(false);
    const again = fetchOf(holders);
    expect(again).toEqual({ chunk: lost.chunk, holder: holder(2) });
    holders.finished(lost, "wrong", 0);
    expect(holders.isFetching(lost.chunk)).toBe(true);
    holders.finished(again, "served", 0);
    expect([...holders]).toMatchObject([{ device: "device 2", served: 1 }]);
  });

  test("stays banned when it comes back", () => {
    const holders = holdersOf(0);
    holders.finished(fetchOf(holders), "wrong", 0);
    holders.forget("device 1");
    holders.update(holder(1), all, 0);
    expect(holders.next(nothing, 1e9)).toBeNull();
  });
});

test("chunks in flight count as held by the subnet while their only holder is backed off", () => {
  const holders = holdersOf(0);
  const [first, second] = [fetchOf(holders), fetchOf(holders)];
  holders.finished(first, "failed", 0);
  expect([...holders.heldChunks(0)]).toEqual([second.chunk]);
});

test("a full table drops the holder of the fewest chunks that neither serves a fetch nor is banned", () => {
  const holders = new Holders(chunkCount);
  holders.update(holder(1), from(0), 0);
  holders.finished(fetchOf(holders), "wrong", 0);
  holders.update(holder(2), from(1), 0);
  fetchOf(holders);
  for (let i = 3; i <= holdersMax; i++) holders.update(holder(i), from(2, i === 40 ? 2 : 3), 0);
  expect(holders.count).toBe(holdersMax);
  holders.update(holder(99), all, 0);
  const kept = [...holders].map(({ device }) => device);
  expect(kept).toHaveLength(holdersMax);
  expect(kept).not.toContain("device 40");
  expect(kept).toEqual(expect.arrayContaining(["device 1", "device 2", "device 99"]));
});
