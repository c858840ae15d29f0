/** What was sent since a device heard its last END is not sent once more, whenever it is asked for. */
import { expect, test } from "bun:test";
import { wholeChunks } from "../../wire/index.ts";
import { ChunkSet } from "../../model/chunk-set.ts";
import { NackCollector } from "./nack-collector.ts";
import { InFlight } from "./in-flight.ts";
import { SendQueue } from "./send-queue.ts";

const chunkCount = 8;

const named = (first: number, count: number): ChunkSet => ChunkSet.fromRanges(chunkCount, [first, count])!;

function book() {
  const outstanding = new InFlight();
  const needs = new NackCollector(chunkCount, () => true, outstanding);
  /** Repairs of chunk 3 go out. */
  const sends = (block: number, count: number): void =>
    outstanding.onSend({ kind: "repair", chunk: 3, blocks: [{ block, count }] });
  const answered = () => [...needs.takeRepairs().repairs].flatMap(([, blocks]) => blocks);
  return { outstanding, needs, sends, answered };
}

test("a NEED that comes late is answered with what it asks for beyond what was sent", () => {
  const { outstanding, needs, sends, answered } = book();
  outstanding.onEnd(named(3, 1), 5);
  sends(1, 4);
  needs.add("a", 5, [3, 1, 3], 0);
  expect(needs.firstAtMs).toBeNull();
  needs.add("b", 5, [3, 1, 6], 0);
  expect(answered()).toEqual([{ block: 1, count: 2 }]);
  // Another block had none.
  needs.add("b", 5, [3, 0, 3], 0);
  expect(answered()).toEqual([{ block: 0, count: 3 }]);
});

test("what was sent while a NEED waited for its answer counts too", () => {
  const { needs, sends, answered } = book();
  needs.add("a", 5, [3, 0, 2, 3, 1, 3], 0);
  sends(0, 2);
  sends(1, 2);
  expect(answered()).toEqual([{ block: 1, count: 1 }]);
});

test("after the END that names it a device has counted in what came; one that did not hear that END has not", () => {
  const { outstanding, needs, sends, answered } = book();
  sends(0, 4);
  // Its END names another chunk: the repairs are under way still.
  outstanding.onEnd(named(2, 1), 6);
  needs.add("a", 6, [3, 0, 2], 0);
  expect(answered()).toEqual([]);
  outstanding.onEnd(named(3, 2), 7);
  needs.add("a", 6, [3, 0, 2], 0);
  expect(answered()).toEqual([]);
  needs.add("a", 7, [3, 0, 2], 0);
  expect(answered()).toEqual([{ block: 0, count: 2 }]);
});

test("nothing is remembered for ever", () => {
  const { outstanding, needs, sends, answered } = book();
  sends(0, 4);
  for (let pass = 1; pass <= 17; pass++) outstanding.onEnd(named(0, chunkCount), pass);
  needs.add("a", 0, [3, 0, 2], 0);
  expect(answered()).toEqual([{ block: 0, count: 2 }]);
});

test("a chunk that is sent once more as a whole is asked for after its END only", () => {
  const { outstanding, needs } = book();
  outstanding.onSend({ kind: "chunk", chunk: 3 });
  for (const device of ["a", "b"]) needs.add(device, 5, [3, 0, 60, 3, wholeChunks, 1], 0);
  expect(needs.firstAtMs).toBeNull();
  outstanding.onEnd(named(3, 1), 6);
  for (const device of ["a", "b"]) needs.add(device, 6, [3, wholeChunks, 1], 0);
  expect(needs.takeRepairs().retransmit).toEqual([3]);
});

test("a second answer takes nothing from the one before that waits to be sent", () => {
  const held = ChunkSet.full(chunkCount);
  const plan = new SendQueue(held, held);
  const answer = (blocks: { block: number; count: number }[]): void =>
    plan.addRepairs({ repairs: new Map([[3, blocks]]), retransmit: [], missedByOne: [] });
  answer([
    { block: 0, count: 2 },
    { block: 1, count: 5 },
  ]);
  answer([
    { block: 1, count: 3 },
    { block: 2, count: 1 },
  ]);
  expect(plan.next(() => false, new ChunkSet(chunkCount))).toEqual({
    kind: "repair",
    chunk: 3,
    blocks: [
      { block: 0, count: 2 },
      { block: 1, count: 5 },
      { block: 2, count: 1 },
    ],
  });
});
