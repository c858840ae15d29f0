import { describe, expect, test } from "bun:test";
import { wholeChunks } from "../../wire/index.ts";
import { InFlight } from "./in-flight.ts";
import { NackCollector } from "./nack-collector.ts";

const chunkCount = 8;
const newCollector = (wasSent: (chunk: number) => boolean = () => true): NackCollector =>
  new NackCollector(chunkCount, wasSent, new InFlight());

/** Answers NACKs, each a device with its entries. */
function answerTo(
  nacks: readonly (readonly [device: string, entries: number[]])[],
  collector = newCollector(),
) {
  for (const [device, entries] of nacks) collector.add(device, 1, entries, 0);
  const { repairs, retransmit, missedByOne } = collector.takeRepairs();
  return { repairs: Object.fromEntries(repairs), retransmit, missedByOne };
}

describe("missing symbols", () => {
  test.each<[what: string, nacks: [string, number[]][], repairs: Record<number, unknown>]>([
    ["the count of one device", [["a", [3, 0, 2]]], { 3: [{ block: 0, count: 2 }] }],
    [
      "the largest count of several devices",
      [
        ["a", [3, 0, 2]],
        ["b", [3, 0, 5]],
        ["c", [3, 0, 4]],
      ],
      { 3: [{ block: 0, count: 5 }] },
    ],
    [
      "blocks and chunks for themselves",
      [
        ["a", [3, 0, 2, 3, 1, 1]],
        ["b", [3, 1, 4, 6, 0, 1]],
      ],
      {
        3: [
          { block: 0, count: 2 },
          { block: 1, count: 4 },
        ],
        6: [{ block: 0, count: 1 }],
      },
    ],
    ["at most 255 symbols of a block", [["a", [3, 0, 400]]], { 3: [{ block: 0, count: 255 }] }],
    ["nothing for a chunk outside the package", [["a", [chunkCount, 0, 2]]], {}],
    ["nothing for a count of 0", [["a", [3, 0, 0]]], {}],
  ])("are answered with %s", (_, nacks, repairs) => {
    expect(answerTo(nacks)).toEqual({ repairs, retransmit: [], missedByOne: [] } as never);
  });
});

describe("chunks missing as a whole", () => {
  test.each<
    [what: string, nacks: [string, number[]][], retransmit: number[], missedByOne: [number, string][]]
  >([
    ["left to the device when one asks", [["a", [3, wholeChunks, 1]]], [], [[3, "a"]]],
    [
      "left to the device when it asks twice",
      [
        ["a", [3, wholeChunks, 1]],
        ["a", [3, wholeChunks, 1]],
      ],
      [],
      [[3, "a"]],
    ],
    [
      "retransmitted when several devices ask",
      [
        ["a", [3, wholeChunks, 2]],
        ["b", [4, wholeChunks, 2]],
        ["a", [4, wholeChunks, 1]],
      ],
      [4],
      [
        [3, "a"],
        [5, "b"],
      ],
    ],
    [
      "taken up to the end of the package",
      [["a", [6, wholeChunks, 5]]],
      [],
      [
        [6, "a"],
        [7, "a"],
      ],
    ],
  ])("are %s", (_, nacks, retransmit, missedByOne) => {
    expect(answerTo(nacks)).toEqual({ repairs: {}, retransmit, missedByOne });
  });

  test("are not asked for again when they were never sent", () => {
    const collector = newCollector((chunk) => chunk < 2);
    collector.add("a", 1, [2, wholeChunks, 6], 5);
    expect(collector.firstAtMs).toBeNull();
    expect(answerTo([["a", [0, wholeChunks, 4]]], collector).missedByOne).toEqual([
      [0, "a"],
      [1, "a"],
    ]);
  });

  test("are not repaired in addition to their retransmission", () => {
    const answer = answerTo([
      ["a", [3, wholeChunks, 1]],
      ["c", [3, 0, 2, 4, 0, 2]],
      ["b", [3, wholeChunks, 1]],
    ]);
    expect(answer).toEqual({ repairs: { 4: [{ block: 0, count: 2 }] }, retransmit: [3], missedByOne: [] });
  });

  test("are repaired for other devices when only one misses them", () => {
    const answer = answerTo([
      ["a", [3, wholeChunks, 1]],
      ["c", [3, 0, 2]],
    ]);
    expect(answer).toEqual({
      repairs: { 3: [{ block: 0, count: 2 }] },
      retransmit: [],
      missedByOne: [[3, "a"]],
    });
  });
});

test("a NACK collector gives the time of its oldest NACK, and is empty after its answer", () => {
  const collector = newCollector();
  expect(collector.firstAtMs).toBeNull();
  collector.add("a", 1, [3, 0, 2], 100);
  collector.add("b", 1, [3, 0, 9], 200);
  expect(collector.firstAtMs).toBe(100);
  collector.takeRepairs();
  expect(collector.firstAtMs).toBeNull();
  expect(answerTo([], collector)).toEqual({ repairs: {}, retransmit: [], missedByOne: [] });
  collector.add("b", 1, [3, 0, 1], 300);
  expect(collector.firstAtMs).toBe(300);
});

test("a NACK collector keeps at most 65,536 blocks and chunks, and takes others after its answer", () => {
  const manyChunks = 70_000;
  const collector = new NackCollector(manyChunks, () => true, new InFlight());
  collector.add("a", 1, [10, 0, 1], 0);
  collector.add("a", 1, [0, wholeChunks, manyChunks], 0);
  collector.add("a", 1, [69_999, 0, 1], 0);
  // A device may add to what is kept.
  collector.add("b", 1, [10, 0, 3, 5, wholeChunks, 1], 0);
  const { repairs, retransmit, missedByOne } = collector.takeRepairs();
  expect([...repairs]).toEqual([[10, [{ block: 0, count: 3 }]]]);
  expect(retransmit).toEqual([5]);
  expect(retransmit.length + missedByOne.length).toBe(65_535);
  collector.add("a", 1, [69_999, 0, 1], 0);
  expect([...collector.takeRepairs().repairs.keys()]).toEqual([69_999]);
});
