import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import type { BlockRepair, RepairPlan, SendItem } from "./items.ts";
import { SendQueue } from "./send-queue.ts";

const chunkCount = 8;
const setOf = (...chunks: number[]): ChunkSet => {
  const set = new ChunkSet(chunkCount);
  for (const chunk of chunks) set.add(chunk);
  return set;
};
const nowhere = setOf();
const everybody = (): boolean => true;
const nobody = (): boolean => false;

/** Repairs that a NACK collector may return: symbols of block 0 by chunk. */
const repairs = (counts: Record<number, number>, retransmit: number[] = []): RepairPlan => ({
  repairs: new Map(Object.entries(counts).map(([chunk, count]) => [Number(chunk), [{ block: 0, count }]])),
  retransmit,
  missedByOne: [],
});

/** Short form of an item: "3" is chunk 3, "3+5" five repair symbols of it. */
const shortOf = (item: SendItem | null): string | null =>
  item && (item.kind === "chunk" ? `${item.chunk}` : `${item.chunk}+${symbolsOf(item.blocks)}`);
const symbolsOf = (blocks: BlockRepair[]): number => blocks.reduce((sum, { count }) => sum + count, 0);

/** Takes everything that is to be sent, in its order. */
function drain(queue: SendQueue, isMissed: (chunk: number) => boolean = everybody, elsewhere = nowhere) {
  const sent: string[] = [];
  for (let item = queue.next(isMissed, elsewhere); item; item = queue.next(isMissed, elsewhere))
    sent.push(shortOf(item)!);
  return sent;
}
const queueOf = (held: ChunkSet, sentEarlier = nowhere): SendQueue => new SendQueue(held, sentEarlier);

describe("the order of a send queue", () => {
  test("is repairs, retransmissions, sole copies, then the rest of the package", () => {
    const queue = queueOf(ChunkSet.full(chunkCount), setOf(0, 1));
    queue.addRepairs(repairs({ 1: 2 }, [0]));
    expect(drain(queue, everybody, setOf(2, 3, 5))).toEqual(["1+2", "0", "4", "6", "7", "2", "3", "5"]);
  });

  test.each<
    [what: string, held: ChunkSet, isMissed: (chunk: number) => boolean, elsewhere: ChunkSet, sent: string[]]
  >([
    ["chunks that are held", setOf(1, 4), everybody, nowhere, ["1", "4"]],
    ["chunks that a listener is missing", setOf(1, 4), (chunk) => chunk === 4, nowhere, ["4"]],
    ["sole copies that a listener is missing", setOf(1, 4), (chunk) => chunk === 1, setOf(1), ["1"]],
    ["nothing that nobody is missing", setOf(1, 4), nobody, setOf(2), []],
  ])("has only %s", (_, held, isMissed, elsewhere, sent) => {
    expect(drain(queueOf(held), isMissed, elsewhere)).toEqual(sent);
  });

  test("follows the front of the download", () => {
    const held = setOf(0);
    const queue = queueOf(held);
    expect(drain(queue)).toEqual(["0"]);
    held.add(1);
    expect(queue.hasUnsent(everybody)).toBe(true);
    expect(drain(queue)).toEqual(["1"]);
    expect(queue.hasUnsent(everybody)).toBe(false);
  });
});

describe("repairs", () => {
  test("take turns with first transmissions when 4,096 symbols went before them", () => {
    const queue = queueOf(ChunkSet.full(chunkCount), setOf(0, 1, 2, 3));
    queue.addRepairs(repairs({ 0: 4_000, 1: 96, 2: 57, 3: 1 }));
    // The credit is 0 after the second repair, 56 after a chunk, -1 after the third repair.
    expect(drain(queue)).toEqual(["0+4000", "1+96", "4", "2+57", "5", "3+1", "6", "7"]);
  });

  test("of more symbols than the credit wait for several first transmissions", () => {
    const queue = queueOf(ChunkSet.full(chunkCount), setOf(0, 1));
    queue.addRepairs(repairs({ 0: 4_096 + 2 * 56, 1: 1 }));
    expect(drain(queue)).toEqual(["0+4208", "2", "3", "4", "1+1", "5", "6", "7"]);
  });

  test("go at once when nothing else is to be sent, whatever the credit", () => {
    const queue = queueOf(setOf(0, 1, 2), setOf(0, 1, 2));
    queue.addRepairs(repairs({ 0: 9_000, 1: 9_000, 2: 9_000 }));
    expect(drain(queue)).toEqual(["0+9000", "1+9000", "2+9000"]);
  });

  test("have the symbols asked for and the extra ones, in every block", () => {
    const queue = queueOf(setOf(0), setOf(0));
    const blocks = [
      { block: 0, count: 2 },
      { block: 3, count: 1 },
    ];
    queue.addRepairs({ repairs: new Map([[0, blocks]]), retransmit: [], missedByOne: [] }, 3);
    expect(queue.next(everybody, nowhere)).toEqual({
      kind: "repair",
      chunk: 0,
      blocks: [
        { block: 0, count: 5 },
        { block: 3, count: 4 },
      ],
    });
  });

  test("are dropped when their chunk is retransmitted", () => {
    const queue = queueOf(setOf(0, 1), setOf(0, 1));
    queue.addRepairs(repairs({ 0: 3, 1: 3 }));
    queue.retransmit([0]);
    expect(drain(queue)).toEqual(["1+3", "0"]);
  });

  test("and retransmissions wait while their chunk is not held", () => {
    const held = setOf(2);
    const queue = queueOf(held, setOf(0, 1, 2));
    queue.addRepairs(repairs({ 0: 3 }, [1]));
    expect(queue.hasNext(everybody)).toBe(false);
    expect(drain(queue)).toEqual([]);
    held.add(1);
    expect(queue.hasNext(everybody)).toBe(true);
    expect(drain(queue)).toEqual(["1"]);
    held.add(0);
    expect(queue.hasNext(everybody)).toBe(true);
    expect(drain(queue)).toEqual(["0+3"]);
  });
});

describe("chunks that an END has not named", () => {
  test("are those before the one in transmission, and that one when nothing follows", () => {
    const queue = queueOf(setOf(2, 3));
    expect(queue.hasUnreported).toBe(false);
    queue.next(everybody, nowhere);
    expect([queue.isSending, queue.hasUnreported]).toEqual([true, false]);
    queue.next(everybody, nowhere);
    expect(queue.takeUnreported(10)).toEqual([2, 1]);
    queue.idle();
    expect([queue.isSending, queue.hasUnreported]).toEqual([false, true]);
    expect(queue.takeUnreported(10)).toEqual([3, 1]);
    expect(queue.hasUnreported).toBe(false);
  });

  test("are taken in at most the given number of ranges, the rest next time", () => {
    const queue = queueOf(setOf(0, 2, 3, 5, 7));
    drain(queue);
    expect([1, 2, 3].map(() => queue.takeUnreported(2))).toEqual([[0, 1, 2, 2], [5, 1, 7, 1], []]);
  });

  test("include those that an earlier representative sent, which are not sent again", () => {
    const queue = queueOf(setOf(0, 1, 2), setOf(0, 1));
    expect([0, 1, 2].map((chunk) => queue.wasSent(chunk))).toEqual([true, true, false]);
    expect(queue.sentCount).toBe(2);
    expect(queue.takeUnreported(10)).toEqual([0, 2]);
    expect(drain(queue)).toEqual(["2"]);
    expect(queue.sentCount).toBe(3);
  });

  test("include those repaired and retransmitted", () => {
    const queue = queueOf(setOf(0, 1), setOf(0, 1));
    queue.takeUnreported(10);
    queue.addRepairs(repairs({ 1: 2 }));
    drain(queue);
    expect(queue.takeUnreported(10)).toEqual([1, 1]);
    queue.retransmit([0]);
    drain(queue);
    expect(queue.takeUnreported(10)).toEqual([0, 1]);
  });
});

test.each<[what: string, act: (queue: SendQueue) => void]>([
  ["an item is in transmission", (queue) => void queue.next(everybody, nowhere)],
  ["a chunk waits for its END", (queue) => drain(queue)],
  ["a repair waits", (queue) => queue.addRepairs(repairs({ 0: 1 }))],
  ["a retransmission waits", (queue) => queue.retransmit([0])],
])("a send queue is not quiet while %s", (_, act) => {
  const queue = queueOf(setOf(0, 1), setOf(0));
  queue.takeUnreported(10);
  expect(queue.isQuiet).toBe(true);
  act(queue);
  expect(queue.isQuiet).toBe(false);
  drain(queue);
  queue.takeUnreported(10);
  expect(queue.isQuiet).toBe(true);
});
