/** Symbols sent after the last END that a device received are not sent again, whenever it asks. */
import { expect, test } from "bun:test";
import { wholeChunks } from "../../wire/index.ts";
import { ChunkSet } from "../../model/chunk-set.ts";
import { NackCollector } from "./nack-collector.ts";
import { InFlight } from "./in-flight.ts";
import { SendQueue } from "./send-queue.ts";

const chunkCount = 8;

const named = (first: number, count: number): ChunkSet => ChunkSet.fromRanges(chunkCount, [first, count])!;

function newCollector() {
  const inFlight = new InFlight();
  const nacks = new NackCollector(chunkCount, () => true, inFlight);
  /** Sends repairs of chunk 3. */
  const sends = (block: number, count: number): void =>
    inFlight.onSend({ kind: "repair", chunk: 3, blocks: [{ block, count }] });
  const answered = () => [...nacks.takeRepairs().repairs].flatMap(([, blocks]) => blocks);
  return { inFlight, nacks, sends, answered };
}

test("answers a late NEED with what it asks for beyond what was sent", () => {
  const { inFlight, nacks, sends, answered } = newCollector();
  inFlight.onEnd(named(3, 1), 5);
  sends(1, 4);
  nacks.add("a", 5, [3, 1, 3], 0);
  expect(nacks.firstAtMs).toBeNull();
  nacks.add("b", 5, [3, 1, 6], 0);
  expect(answered()).toEqual([{ block: 1, count: 2 }]);
  // No repair of another block was sent.
  nacks.add("b", 5, [3, 0, 3], 0);
  expect(answered()).toEqual([{ block: 0, count: 3 }]);
});

test("counts what was sent while a NEED waited for its answer", () => {
  const { nacks, sends, answered } = newCollector();
  nacks.add("a", 5, [3, 0, 2, 3, 1, 3], 0);
  sends(0, 2);
  sends(1, 2);
  expect(answered()).toEqual([{ block: 1, count: 1 }]);
});

test("counts a repair as received only by devices that received the END after it", () => {
  const { inFlight, nacks, sends, answered } = newCollector();
  sends(0, 4);
  // The END names another chunk: the repairs are still in flight.
  inFlight.onEnd(named(2, 1), 6);
  nacks.add("a", 6, [3, 0, 2], 0);
  expect(answered()).toEqual([]);
  inFlight.onEnd(named(3, 2), 7);
  nacks.add("a", 6, [3, 0, 2], 0);
  expect(answered()).toEqual([]);
  nacks.add("a", 7, [3, 0, 2], 0);
  expect(answered()).toEqual([{ block: 0, count: 2 }]);
});

test("forgets symbols after 16 passes", () => {
  const { inFlight, nacks, sends, answered } = newCollector();
  sends(0, 4);
  for (let pass = 1; pass <= 17; pass++) inFlight.onEnd(named(0, chunkCount), pass);
  nacks.add("a", 0, [3, 0, 2], 0);
  expect(answered()).toEqual([{ block: 0, count: 2 }]);
});

test("accepts NACKs for a retransmitted chunk only after its END", () => {
  const { inFlight, nacks } = newCollector();
  inFlight.onSend({ kind: "chunk", chunk: 3 });
  for (const device of ["a", "b"]) nacks.add(device, 5, [3, 0, 60, 3, wholeChunks, 1], 0);
  expect(nacks.firstAtMs).toBeNull();
  inFlight.onEnd(named(3, 1), 6);
  for (const device of ["a", "b"]) nacks.add(device, 6, [3, wholeChunks, 1], 0);
  expect(nacks.takeRepairs().retransmit).toEqual([3]);
});

test("keeps the larger count of each block when a second answer joins one that waits", () => {
  const held = ChunkSet.full(chunkCount);
  const queue = new SendQueue(held, held);
  const answer = (blocks: { block: number; count: number }[]): void =>
    queue.addRepairs({ repairs: new Map([[3, blocks]]), retransmit: [], missedByOne: [] });
  answer([
    { block: 0, count: 2 },
    { block: 1, count: 5 },
  ]);
  answer([
    { block: 1, count: 3 },
    { block: 2, count: 1 },
  ]);
  expect(queue.next(() => false, new ChunkSet(chunkCount))).toEqual({
    kind: "repair",
    chunk: 3,
    blocks: [
      { block: 0, count: 2 },
      { block: 1, count: 5 },
      { block: 2, count: 1 },
    ],
  });
});
