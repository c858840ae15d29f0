import { expect, test } from "bun:test";
import { GcTrigger } from "./gc-trigger.ts";

const mib = 1_048_576;

function triggerOf(residentMiB: number, freesMiB: number) {
  const state = { nowMs: 1_000, residentBytes: residentMiB * mib, collectedAtMs: [] as number[] };
  const trigger = new GcTrigger(() => state.nowMs, {
    residentBytes: () => state.residentBytes,
    collect: () => {
      state.collectedAtMs.push(state.nowMs);
      state.residentBytes -= freesMiB * mib;
    },
  });
  return { state, trigger };
}

test("does not collect in a process below the limit", () => {
  const { state, trigger } = triggerOf(80, 10);
  for (; state.nowMs < 5_000; state.nowMs += 10) trigger.collectIfGrown();
  expect(state.collectedAtMs).toEqual([]);
});

test("collects in a large process when it has grown, and checks four times a second", () => {
  const { state, trigger } = triggerOf(130, 30);
  for (; state.nowMs < 2_000; state.nowMs += 10) {
    trigger.collectIfGrown();
    // After the first collection the process grows from 100 MiB by 20 MiB a second.
    state.residentBytes += 0.2 * mib;
  }
  expect(state.collectedAtMs).toEqual([1_000, 1_500]);
});

test("does not collect again when the last collection reclaimed nothing and state did not grow", () => {
  const { state, trigger } = triggerOf(200, 0);
  for (; state.nowMs < 21_000; state.nowMs += 10) trigger.collectIfGrown();
  expect(state.collectedAtMs).toEqual([1_000]);
});

test("reclaims garbage with the real engine", () => {
  const trigger = new GcTrigger(performance.now.bind(performance));
  let garbage: Uint8Array[] = [];
  for (let i = 0; i < 400; i++) garbage.push(new Uint8Array(262_144).fill(1));
  const before = process.memoryUsage.rss();
  garbage = [];
  trigger.collectIfGrown();
  expect(before - process.memoryUsage.rss()).toBeGreaterThan(32 * mib);
});
