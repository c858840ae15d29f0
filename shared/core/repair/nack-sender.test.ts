/**
 * A model of NACK suppression: receivers with random losses, one END, and NEEDs that every other
 * receiver gets a millisecond later. The decisions are those of the real NackSender.
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
  const lostOf = (): number => {
    let lost = 0;
    for (let symbol = 0; symbol < k; symbol++) if (random() < loss) lost++;
    return lost;
  };
  const peers = Array.from({ length: receivers }, () => {
    const missing = Array.from({ length: chunkCount * blocksPerChunk }, lostOf);
    for (const [at, count] of missing.entries())
      outcome.largest.set(String(at), Math.max(outcome.largest.get(String(at)) ?? 0, count));
    const missingSymbols: MissingSymbols = (chunk, add) => {
      for (let block = 0; block < blocksPerChunk; block++) {
        const count = missing[chunk * blocksPerChunk + block]!;
        if (count > 0) add(block, count);
      }
      return true;
    };
    const sender = new NackSender(new ChunkSet(chunkCount));
    sender.onEnd(ChunkSet.full(chunkCount), 0, receivers, random());
    return { sender, missingSymbols };
  });
  const air: { atMs: number; from: number; entries: readonly number[] }[] = [];
  for (let nowMs = 0; nowMs <= needDelayMs(receivers) + 1; nowMs += 0.25) {
    for (; air.length > 0 && air[0]!.atMs <= nowMs; air.shift())
      for (const [i, { sender }] of peers.entries())
        if (i !== air[0]!.from) sender.onPeerNack(air[0]!.entries);
    for (const [i, { sender, missingSymbols }] of peers.entries())
      for (const entries of sender.takeDue(nowMs, missingSymbols, 1_466)) {
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
  test.each([8, 64, 1_000])("%d receivers send few NACKs, which cover nearly all losses", (receivers) => {
    const { frames, largest, asked } = onePass(receivers, 0.01, receivers);
    // A receiver that is due while a NEED is on the air has not received it yet.
    const inFlight = Math.ceil((receivers * airMs) / needDelayMs(receivers)) * needFramesMax;
    expect(frames).toBeLessThanOrEqual(Math.min(receivers, peerNacksMax + inFlight));
    let lost = 0;
    let covered = 0;
    for (const [key, count] of largest) {
      lost += count;
      covered += Math.min(count, asked.get(key) ?? 0);
    }
    expect(covered / lost).toBeGreaterThan(receivers === 1_000 ? 0.75 : 0.95);
  });
});

test("ignores a NACK for a whole chunk that was not sent yet", () => {
  const collector = new NackCollector(chunkCount, (chunk) => chunk < 5, new InFlight());
  for (const device of ["a", "b"]) collector.add(device, 1, [8, wholeChunks, 4], 0);
  expect(collector.firstAtMs).toBeNull();
  for (const device of ["a", "b"]) collector.add(device, 1, [3, wholeChunks, 4], 1);
  expect(collector.firstAtMs).toBe(1);
  expect(collector.takeRepairs().retransmit).toEqual([3, 4]);
});

const missesOne: MissingSymbols = (_chunk, add) => {
  add(0, 1);
  return true;
};

test("asks for the chunks that an END names and for no others, whatever was asked for before", () => {
  const sender = new NackSender(new ChunkSet(chunkCount));
  const named = (chunk: number): ChunkSet => {
    const set = new ChunkSet(chunkCount);
    set.add(chunk);
    return set;
  };
  const delayMs = needDelayMs(8);
  sender.onEnd(named(2), 0, 8, 1);
  expect(sender.takeDue(delayMs, missesOne, 1_466)).toEqual([[2, 0, 1]]);
  // The repair of chunk 2 is in flight; chunk 5 was sent.
  sender.onEnd(named(5), 100, 8, 1);
  expect(sender.takeDue(100 + delayMs, missesOne, 1_466)).toEqual([[5, 0, 1]]);
  // A symbol of that repair was lost.
  sender.onEnd(named(2), 200, 8, 1);
  expect(sender.takeDue(200 + delayMs, missesOne, 1_466)).toEqual([[2, 0, 1]]);
  // Counts asked for by another peer before this END do not cover what was lost since.
  sender.onPeerNack([2, 0, 3, 7, 0, 3]);
  sender.onEnd(named(2), 300, 8, 1);
  expect(sender.takeDue(300 + delayMs, missesOne, 1_466)).toEqual([[2, 0, 1]]);
  // Counts asked for after it do.
  sender.onEnd(named(2), 400, 8, 1);
  sender.onPeerNack([2, 0, 3]);
  expect(sender.takeDue(400 + delayMs, missesOne, 1_466)).toEqual([]);
  // No further END arrives.
  expect(sender.dueAtMs).toBe(400 + delayMs + timing.needRepeatMs);
  expect(sender.takeDue(sender.dueAtMs!, missesOne, 1_466)).toEqual([[2, 0, 1, 5, 0, 1]]);
});
