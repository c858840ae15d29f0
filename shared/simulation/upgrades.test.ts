/** Upgrades of simulated agents that end at every step of the task. */
import { expect, test } from "bun:test";
import { reasonText } from "../model/reason.ts";
import { World } from "./index.ts";

const stepMs = 60;
const options = { devices: 1, chunks: 4, startDelayMs: 0, upgradesAgent: true, log: false };

/** Restarts the agent of a device as its upgrade does. @returns the number of upgrades begun */
function restartFor(world: World, name: string): () => number {
  let begun = 0;
  const onBegun = (): void => {
    begun++;
    world.onCommand(name, onBegun);
    world.at(world.nowMs, () => {
      world.stop(name);
      world.start(name);
    });
  };
  world.onCommand(name, onBegun);
  return () => begun;
}

const rowOf = (world: World, name: string) =>
  world.device(name).process!.device.tasks.values().next().value!.row;

/** Runs one device that ends at `endsAtMs`, and starts again after a second. */
function endedAt(endsAtMs: number, how: "killed" | "stopped" | "power is cut") {
  const world = new World({ ...options, seed: 5 });
  const begun = restartFor(world, "A");
  world.start();
  world.run(endsAtMs);
  if (how === "stopped") world.stop("A");
  else world.crash("A", how === "killed" ? "process" : "power");
  world.run(1_000);
  world.start();
  const isOver = world.run(600_000, () => world.isAtRest);
  return { isOver, begun: begun(), life: rowOf(world, "A").life };
}

test.each(["killed", "stopped", "power is cut"] as const)(
  "an upgrade begins once and its outcome is reported, whenever the agent is %s",
  (how) => {
    const found = Array.from({ length: 90 }, (_, step) => endedAt(step * stepMs, how));
    expect(new Set(found.map(({ isOver, begun }) => `${isOver} ${begun}`))).toEqual(new Set(["true 1"]));
    expect(found.every(({ life }) => life === "complete" || life === "failed")).toBe(true);
  },
);

test("devices of a subnet are upgraded or run the old version again, and their reasons say which", () => {
  const reasons = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World({ ...options, seed, devices: 3, chunks: 16 });
    const begun = world.machines.map(({ name }) => restartFor(world, name));
    world.start();
    expect(world.run(600_000, () => world.isAtRest)).toBe(true);
    expect(begun.map((count) => count())).toEqual([1, 1, 1]);
    for (const { name } of world.machines) {
      const { life, reason } = rowOf(world, name);
      reasons.add(`${life}: ${reason && reasonText(reason)}`);
    }
  }
  expect([...reasons].toSorted()).toEqual([
    "complete: version 2 runs (before: 1)",
    "failed: version 2 exited with status 1: version 1 runs again",
  ]);
});
