import { expect, test } from "bun:test";
import { GcTrigger } from "./gc-trigger.ts";

const mib = 1_048_576;

function keeperOf(residentMiB: number, freesMiB: number) {
  const world = { nowMs: 1_000, residentBytes: residentMiB * mib, tidied: [] as number[] };
  const keeper = new GcTrigger(() => world.nowMs, {
    residentBytes: () => world.residentBytes,
    tidyUp: () => {
      world.tidied.push(world.nowMs);
      world.residentBytes -= freesMiB * mib;
    },
  });
  return { world, keeper };
}

test("A small process is left alone", () => {
  const { world, keeper } = keeperOf(80, 10);
  for (; world.nowMs < 5_000; world.nowMs += 10) keeper.collectIfGrown();
  expect(world.tidied).toEqual([]);
});

test("A large one is tidied up whenever it grew, and looked at four times a second", () => {
  const { world, keeper } = keeperOf(130, 30);
  for (; world.nowMs < 2_000; world.nowMs += 10) {
    keeper.collectIfGrown();
    // From 100 MiB on, 20 MiB a second.
    world.residentBytes += 0.2 * mib;
  }
  expect(world.tidied).toEqual([1_000, 1_500]);
});

test("Memory that is in use is not searched for waste again and again", () => {
  const { world, keeper } = keeperOf(200, 0);
  for (; world.nowMs < 21_000; world.nowMs += 10) keeper.collectIfGrown();
  expect(world.tidied).toEqual([1_000]);
});

test("The engine's own garbage goes", () => {
  const keeper = new GcTrigger(performance.now.bind(performance));
  let garbage: Uint8Array[] = [];
  for (let i = 0; i < 400; i++) garbage.push(new Uint8Array(262_144).fill(1));
  const before = process.memoryUsage.rss();
  garbage = [];
  keeper.collectIfGrown();
  expect(before - process.memoryUsage.rss()).toBeGreaterThan(32 * mib);
});
