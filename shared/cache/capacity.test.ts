import { describe, expect, test } from "bun:test";
import {
  evictionOrder,
  keptFreeBytes,
  planEviction,
  planRoom,
  type Candidate,
  type RoomRequest,
} from "./capacity.ts";

const MB = 1_000_000;

/** A package that nobody uses, named by its id; all of its bytes are stored unless given. */
const unused = (
  id: string,
  megabytes: number,
  lastUsedAtMs: number,
  state: Candidate["state"] = "complete",
  storedMegabytes = megabytes,
): Candidate => ({
  id,
  state,
  sizeBytes: megabytes * MB,
  storedBytes: storedMegabytes * MB,
  lastUsedAtMs,
  unusedSinceMs: lastUsedAtMs,
});

test.each([
  ["2 % of a disk of 1 GB, at least", 1e9, { bytes: 0 }, 20_000_000],
  ["2 % of a disk of 12.8 GiB, at least", 13_421_772_800, { bytes: 0 }, 268_435_456],
  ["256 MiB of a disk of 1 TB, at least", 1e12, { percent: 0 }, 268_435_456],
  ["nothing of an empty disk", 0, { percent: 10 }, 0],
  ["a tenth of a disk of 1 TB", 1e12, { percent: 10 }, 1e11],
  ["a size", 1e12, { bytes: 5e9 }, 5e9],
])("%s is kept free", (_, diskBytes, share, keptBytes) => {
  expect(keptFreeBytes(diskBytes, share)).toBe(keptBytes);
});

test("complete packages leave before partial ones, and the least recently used first", () => {
  const candidates = [
    unused("partial, old", 1, 10, "partial"),
    unused("complete, new", 1, 40),
    unused("partial, new", 1, 30, "partial"),
    unused("complete, old", 1, 20),
  ];
  const order = ["complete, old", "complete, new", "partial, old", "partial, new"];
  expect(evictionOrder(candidates).map(({ id }) => id)).toEqual(order);
});

describe("room for a package of 100 MB", () => {
  const request: RoomRequest = {
    title: "tool 1.0",
    sizeBytes: 100 * MB,
    missingBytes: 100 * MB,
    usedBytes: 0,
    maxBytes: null,
    freeBytes: 1_000 * MB,
    candidates: [],
  };
  const old = unused("old", 50, 10);
  const recent = unused("recent", 50, 20);
  const both = [recent, old];

  test.each<[what: string, changes: Partial<RoomRequest>, evict: string[]]>([
    ["an empty cache without a cap", {}, []],
    ["a disk with exactly as much", { freeBytes: 100 * MB }, []],
    ["a cap that is exactly reached", { maxBytes: 150 * MB, usedBytes: 50 * MB, candidates: [old] }, []],
    ["a full disk when little is missing of it", { freeBytes: 5 * MB, missingBytes: 5 * MB }, []],
    ["a disk one byte short", { freeBytes: 100 * MB - 1, candidates: both }, ["old"]],
    ["a cap one byte short", { maxBytes: 200 * MB - 1, usedBytes: 100 * MB, candidates: both }, ["old"]],
    ["a disk of which both packages are needed", { freeBytes: 10 * MB, candidates: both }, ["old", "recent"]],
    [
      "a disk to which a partial package gives back only what is stored",
      {
        freeBytes: 90 * MB,
        candidates: [unused("partial", 90, 0, "partial", 5), unused("other", 90, 9, "partial")],
      },
      ["partial", "other"],
    ],
    [
      "a cap to which a partial package gives back its whole size",
      {
        maxBytes: 200 * MB,
        usedBytes: 180 * MB,
        candidates: [unused("partial", 90, 0, "partial", 5), unused("other", 90, 9, "partial")],
      },
      ["partial"],
    ],
  ])("is made in %s", (_, changes, evict) => {
    expect(planRoom({ ...request, ...changes })).toEqual({ ok: true, evict });
  });

  test.each<[what: string, changes: Partial<RoomRequest>, code: string, message: string]>([
    [
      "the cap is smaller than the package",
      { maxBytes: 99 * MB },
      "cache-cap",
      "tool 1.0 has 100 MB, the cache may hold 99 MB: set cacheMaxBytes to 100000000 or more",
    ],
    [
      "the disk is full of files that are not the cache's",
      { freeBytes: 30 * MB, candidates: [old] },
      "disk-full",
      "tool 1.0 needs 100 MB more on this disk, 80 MB can be used",
    ],
    [
      "more than the disk is promised to packages under way",
      { freeBytes: -30 * MB },
      "disk-full",
      "100 MB more on this disk, 0 B can be used",
    ],
    [
      "packages of tasks fill the cap",
      { maxBytes: 150 * MB, usedBytes: 110 * MB, candidates: [old] },
      "cache-cap",
      "tool 1.0 needs 100 MB in a cache of 150 MB, of which 60 MB are in use",
    ],
  ])("is refused when %s", (_, changes, code, message) => {
    const plan = planRoom({ ...request, ...changes });
    expect(plan).toMatchObject({ ok: false, code });
    expect(plan.ok ? "" : plan.message).toStartWith(
      message.startsWith("tool") ? message : `tool 1.0 needs ${message}`,
    );
  });
});

describe("packages that leave without a request for room", () => {
  const candidates = [unused("a", 10, 1_000), unused("b", 10, 2_000), unused("c", 10, 3_000)];
  const limits = { usedBytes: 40 * MB, maxBytes: null, maxAgeMs: null, lackingBytes: -1, nowMs: 3_500 };
  test.each<
    [
      what: string,
      changes: Partial<typeof limits | { maxBytes: number; maxAgeMs: number; lackingBytes: number }>,
      evict: string[],
    ]
  >([
    ["without limits are none", {}, []],
    ["at the cap are none", { maxBytes: 40 * MB }, []],
    ["one byte above the cap are the least recently used", { maxBytes: 40 * MB - 1 }, ["a"]],
    ["above the cap are as many as it needs", { maxBytes: 20 * MB }, ["a", "b"]],
    ["above a cap that others fill are all", { maxBytes: 1 }, ["a", "b", "c"]],
    ["of exactly the maximum age are none", { maxAgeMs: 2_500 }, []],
    ["above the maximum age are the old ones", { maxAgeMs: 1_499 }, ["a", "b"]],
    ["on a disk that is exactly free enough are none", { lackingBytes: 0 }, []],
    ["on a disk one byte short are the least recently used", { lackingBytes: 1 }, ["a"]],
    ["on a disk that lacks more are as many as it needs", { lackingBytes: 10 * MB + 1 }, ["a", "b"]],
    ["count for the disk when age removed them", { maxAgeMs: 2_499, lackingBytes: 10 * MB }, ["a"]],
    ["count for the cap when age removed them", { maxAgeMs: 2_499, maxBytes: 30 * MB }, ["a"]],
  ])("%s", (_, changes, evict) => {
    expect(planEviction({ candidates, ...limits, ...changes })).toEqual(evict);
  });
});
