/** Commands of simulated devices whose agent, or machine, ends at every step of the task. */
import { expect, test } from "bun:test";
import { World } from "./index.ts";

const stepMs = 60;

/** Runs one device that ends at `endsAtMs`, and starts again after a second. */
function endedAt(endsAtMs: number, how: "killed" | "stopped" | "power is cut") {
  const world = new World({ seed: 5, devices: 1, chunks: 4, startDelayMs: 0, log: false });
  let starts = 0;
  let startedAtMs = Number.POSITIVE_INFINITY;
  const count = (): void => {
    starts++;
    startedAtMs = Math.min(startedAtMs, world.nowMs);
    world.onCommand("A", count);
  };
  world.onCommand("A", count);
  world.start();
  world.run(endsAtMs);
  const wasRunning = world.device("A").process!.device.tasks.values().next().value?.stage.kind === "running";
  if (how === "stopped") world.stop("A");
  else world.crash("A", how === "killed" ? "process" : "power");
  world.run(1_000);
  world.start();
  const isOver = world.run(600_000, () => world.isAtRest);
  const { row } = world.device("A").process!.device.tasks.values().next().value!;
  return { isOver, wasRunning, starts, life: row.life, meaning: row.command?.meaning };
}

test.each(["killed", "stopped", "power is cut"] as const)(
  "a command runs once and its true result is reported, whenever the agent is %s",
  (how) => {
    const found = Array.from({ length: 90 }, (_, step) => endedAt(step * stepMs, how));
    expect(found.filter(({ wasRunning }) => wasRunning).length).toBeGreaterThan(3);
    for (const { isOver, starts, wasRunning, life, meaning } of found) {
      expect([isOver, starts]).toEqual([true, 1]);
      // A power cut ends the command: nobody knows how far it came.
      const isUnknown = how === "power is cut" && wasRunning;
      expect([life, meaning]).toEqual(isUnknown ? ["failed", "unknown"] : ["complete", "success"]);
    }
  },
);

test("a command that finds another installer busy is repeated with back-off, and each run counts", () => {
  const runs = { success: new Set<number>(), failed: new Set<number>() };
  for (let seed = 1; seed <= 40; seed++) {
    const world = new World({
      seed,
      devices: 2,
      chunks: 4,
      startDelayMs: 0,
      drawsExitCodes: true,
      log: false,
    });
    world.start();
    expect(world.run(600_000, () => world.isAtRest)).toBe(true);
    for (const { process } of world.machines) {
      const { row } = process!.device.tasks.values().next().value!;
      expect(row.command?.runs).toBe(row.runs);
      if (row.life === "complete") runs.success.add(row.runs);
      else runs.failed.add(row.runs);
    }
  }
  expect([...runs.success].toSorted()).toEqual(runs.success.has(3) ? [1, 2, 3] : [1, 2]);
  expect(runs.failed.has(1)).toBe(true);
});

test("a command that needs a reboot completes its task with the next start of the machine, and runs once", () => {
  let found = 0;
  for (let seed = 1; seed <= 80; seed++) {
    const options = { seed, devices: 1, chunks: 4, startDelayMs: 0, drawsExitCodes: true, log: false };
    const world = new World(options);
    const rowNow = () => world.device("A").process!.device.tasks.values().next().value!.row;
    const restart = (kind: "process" | "power"): string => {
      world.crash("A", kind);
      world.run(1_000);
      world.start();
      world.run(5_000);
      return rowNow().life;
    };
    world.start();
    world.run(600_000, () => world.isAtRest);
    if (rowNow().life !== "reboot-pending") continue;
    found++;
    expect([restart("process"), restart("power")]).toEqual(["reboot-pending", "complete"]);
    expect(rowNow()).toMatchObject({ runs: rowNow().command!.runs, reason: { code: "rebooted" } });
  }
  expect(found).toBeGreaterThan(0);
});
