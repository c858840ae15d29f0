/**
 * A model of feedback: any number of receivers that lost at random, one END, NEEDs that everybody hears a millisecond
 * later. The receivers' decisions are the real ones.
 */
import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import { NackSender, type MissingSymbols } from "./nack-sender.ts";
import { NackCollector } from "./nack-collector.ts";
import { InFlight } from "./in-flight.ts";
import { needDelayMs, peerNacksMax, needFramesMax, timing } from "../timing.ts";
import { seededRandom } from "../../model/random.ts";
import { wholeChunks } from "../../wire/index.ts";

const chunkCount = 20;
const blocksPerChunk = 3;
const k = 63;
const airMs = 1;

type Outcome = { frames: number; largest: Map<string, number>; asked: Map<string, number> };

function onePass(receivers: number, loss: number, seed: number): Outcome {
  const random = seededRandom(seed);
  const outcome: Outcome = { frames: 0, largest: new Map(), asked: new Map() };
  const lackOf = (): number => {
    let lost = 0;
    for (let symbol = 0; symbol < k; symbol++) if (random() < loss) lost++;
    return lost;
  };
  const peers = Array.from({ length: receivers }, () => {
    const lacks = Array.from({ length: chunkCount * blocksPerChunk }, lackOf);
    for (const [at, count] of lacks.entries())
      outcome.largest.set(String(at), Math.max(outcome.largest.get(String(at)) ?? 0, count));
    const lacksOf: MissingSymbols = (chunk, add) => {
      for (let block = 0; block < blocksPerChunk; block++) {
        const count = lacks[chunk * blocksPerChunk + block]!;
        if (count > 0) add(block, count);
      }
      return true;
    };
    const feedback = new NackSender(new ChunkSet(chunkCount));
    feedback.onEnd(ChunkSet.full(chunkCount), 0, receivers, random());
    return { feedback, lacksOf };
  });
  const air: { atMs: number; from: number; entries: readonly number[] }[] = [];
  for (let nowMs = 0; nowMs <= needDelayMs(receivers) + 1; nowMs += 0.25) {
    for (; air.length > 0 && air[0]!.atMs <= nowMs; air.shift())
      for (const [i, { feedback }] of peers.entries())
        if (i !== air[0]!.from) feedback.onPeerNack(air[0]!.entries);
    for (const [i, { feedback, lacksOf }] of peers.entries())
      for (const entries of feedback.takeDue(nowMs, lacksOf)) {
        outcome.frames++;
        air.push({ atMs: nowMs + airMs, from: i, entries });
        for (let at = 0; at < entries.length; at += 3) {
          const key = String(entries[at]! * blocksPerChunk + entries[at + 1]!);
          outcome.asked.set(key, Math.max(outcome.asked.get(key) ?? 0, entries[at + 2]!));
        }
      }
  }
  return outcome;
}

describe("after an END", () => {
  test.each([8, 64, 1_000])(
    "%d receivers say little, and nearly all that was lost is asked for",
    (receivers) => {
      const { frames, largest, asked } = onePass(receivers, 0.01, receivers);
      // Whoever's time comes while a NEED is on the air has not heard it.
      const inFlight = Math.ceil((receivers * airMs) / needDelayMs(receivers)) * needFramesMax;
      expect(frames).toBeLessThanOrEqual(Math.min(receivers, peerNacksMax + inFlight));
      let lacked = 0;
      let covered = 0;
      for (const [key, count] of largest) {
        lacked += count;
        covered += Math.min(count, asked.get(key) ?? 0);
      }
      expect(covered / lacked).toBeGreaterThan(receivers === 1_000 ? 0.75 : 0.95);
    },
  );
});

test("a chunk that was not sent yet cannot be missed as a whole", () => {
  const needs = new NackCollector(chunkCount, (chunk) => chunk < 5, new InFlight());
  for (const device of ["a", "b"]) needs.add(device, 1, [8, wholeChunks, 4], 0);
  expect(needs.firstAtMs).toBeNull();
  for (const device of ["a", "b"]) needs.add(device, 1, [3, wholeChunks, 4], 1);
  expect(needs.firstAtMs).toBe(1);
  expect(needs.takeRepairs().retransmit).toEqual([3, 4]);
});

const lacksOne: MissingSymbols = (_chunk, add) => {
  add(0, 1);
  return true;
};

test("an END has the chunks that it names asked for at once, whatever was asked before, and no others", () => {
  const feedback = new NackSender(new ChunkSet(chunkCount));
  const named = (chunk: number): ChunkSet => {
    const set = new ChunkSet(chunkCount);
    set.add(chunk);
    return set;
  };
  const delayMs = needDelayMs(8);
  feedback.onEnd(named(2), 0, 8, 1);
  expect(feedback.takeDue(delayMs, lacksOne)).toEqual([[2, 0, 1]]);
  // Its repair is under way; another chunk was sent.
  feedback.onEnd(named(5), 100, 8, 1);
  expect(feedback.takeDue(100 + delayMs, lacksOne)).toEqual([[5, 0, 1]]);
  // Of its repair, something was lost.
  feedback.onEnd(named(2), 200, 8, 1);
  expect(feedback.takeDue(200 + delayMs, lacksOne)).toEqual([[2, 0, 1]]);
  // What another peer asked for before is no answer to what was lost since.
  feedback.onPeerNack([2, 0, 3, 7, 0, 3]);
  feedback.onEnd(named(2), 300, 8, 1);
  expect(feedback.takeDue(300 + delayMs, lacksOne)).toEqual([[2, 0, 1]]);
  // What it asks for afterwards is.
  feedback.onEnd(named(2), 400, 8, 1);
  feedback.onPeerNack([2, 0, 3]);
  expect(feedback.takeDue(400 + delayMs, lacksOne)).toEqual([]);
  // Nothing more is heard.
  expect(feedback.dueAtMs).toBe(400 + delayMs + timing.needRepeatMs);
  expect(feedback.takeDue(feedback.dueAtMs!, lacksOne)).toEqual([[2, 0, 1, 5, 0, 1]]);
});
