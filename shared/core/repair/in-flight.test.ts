/** What was sent since a device heard its last END is not sent once more, whenever it is asked for. */
import { expect, test } from "bun:test";
import { wholeChunks } from "../../wire/index.ts";
import { ChunkSet } from "../../model/chunk-set.ts";
import { NeedBook } from "./nack-collector.ts";
import { Outstanding } from "./in-flight.ts";
import { SendPlan } from "./send-queue.ts";

const chunkCount = 8;

const named = (first: number, count: number): ChunkSet => ChunkSet.fromRanges(chunkCount, [first, count])!;

function book() {
  const outstanding = new Outstanding();
  const needs = new NeedBook(chunkCount, () => true, outstanding);
  /** Repairs of chunk 3 go out. */
  const sends = (block: number, count: number): void =>
    outstanding.sending({ kind: "repair", chunk: 3, blocks: [{ block, count }] });
  const answered = () => [...needs.answer().repairs].flatMap(([, blocks]) => blocks);
  return { outstanding, needs, sends, answered };
}

test("a NEED that comes late is answered with what it asks for beyond what was sent", () => {
  const { outstanding, needs, sends, answered } = book();
  outstanding.ended(named(3, 1), 5);
  sends(1, 4);
  needs.note("a", 5, [3, 1, 3], 0);
  expect(needs.firstAtMs).toBeNull();
  needs.note("b", 5, [3, 1, 6], 0);
  expect(answered()).toEqual([{ block: 1, count: 2 }]);
  // Another block had none.
  needs.note("b", 5, [3, 0, 3], 0);
  expect(answered()).toEqual([{ block: 0, count: 3 }]);
});

test("what was sent while a NEED waited for its answer counts too", () => {
  const { needs, sends, answered } = book();
  needs.note("a", 5, [3, 0, 2, 3, 1, 3], 0);
  sends(0, 2);
  sends(1, 2);
  expect(answered()).toEqual([{ block: 1, count: 1 }]);
});

test("after the END that names it a device has counted in what came; one that did not hear that END has not", () => {
  const { outstanding, needs, sends, answered } = book();
  sends(0, 4);
  // Its END names another chunk: the repairs are under way still.
  outstanding.ended(named(2, 1), 6);
  needs.note("a", 6, [3, 0, 2], 0);
  expect(answered()).toEqual([]);
  outstanding.ended(named(3, 2), 7);
  needs.note("a", 6, [3, 0, 2], 0);
  expect(answered()).toEqual([]);
  needs.note("a", 7, [3, 0, 2], 0);
  expect(answered()).toEqual([{ block: 0, count: 2 }]);
});

test("nothing is remembered for ever", () => {
  const { outstanding, needs, sends, answered } = book();
  sends(0, 4);
  for (let pass = 1; pass <= 17; pass++) outstanding.ended(named(0, chunkCount), pass);
  needs.note("a", 0, [3, 0, 2], 0);
  expect(answered()).toEqual([{ block: 0, count: 2 }]);
});

test("a chunk that is sent once more as a whole is asked for after its END only", () => {
  const { outstanding, needs } = book();
  outstanding.sending({ kind: "chunk", chunk: 3 });
  for (const device of ["a", "b"]) needs.note(device, 5, [3, 0, 60, 3, wholeChunks, 1], 0);
  expect(needs.firstAtMs).toBeNull();
  outstanding.ended(named(3, 1), 6);
  for (const device of ["a", "b"]) needs.note(device, 6, [3, wholeChunks, 1], 0);
  expect(needs.answer().recast).toEqual([3]);
});

test("a second answer takes nothing from the one before that waits to be sent", () => {
  const held = ChunkSet.full(chunkCount);
  const plan = new SendPlan(held, held);
  const answer = (blocks: { block: number; count: number }[]): void =>
    plan.answer({ repairs: new Map([[3, blocks]]), recast: [], alone: [] });
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
