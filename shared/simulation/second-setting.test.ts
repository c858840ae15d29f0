/** Subnets whose devices have different settings. */
import { expect, test } from "bun:test";
import { createScenario } from "./scenario.ts";
import { simulate } from "./run.ts";
import { World } from "./world.ts";

/** Makes a device the preferred representative. */
function prefer(world: World, name: string): void {
  world.device(name).profile = { ...world.device(name).profile, weight: 100, volunteer: true };
}

/** Devices of a world that receive chunks by multicast. */
const receivers = (world: World): string[] =>
  world.machines.filter(({ process }) => process!.receivedFrom("multicast") > 0).map(({ name }) => name);

const noDeputy = { useDeputy: false, lanRateBps: 64_000, chunks: 20 };

test("a device whose own setting is without multicast takes all by unicast from a multicast that others take", () => {
  const world = new World({ seed: 4, devices: 6, ...noDeputy, secondSetting: { useMulticast: false } });
  prefer(world, "A");
  world.start();
  expect(world.run(120_000, () => world.allComplete)).toBe(true);
  expect(receivers(world)).toEqual(["C", "E"]);
  expect(world.checks.wan.accounts[1]!.chunks).toBe(world.chunkCount);
});

test("a representative whose own setting is without multicast gives to all by unicast", () => {
  const world = new World({ seed: 5, devices: 6, ...noDeputy, secondSetting: { useMulticast: false } });
  prefer(world, "B");
  world.start();
  expect(world.run(240_000, () => world.allComplete)).toBe(true);
  expect(receivers(world)).toEqual([]);
  expect(world.checks.wan.accounts[1]!.chunks).toBe(world.chunkCount);
});

test.each([
  ["A", 2_000],
  ["B", 9_000],
])("the delay of the representative %s counts", (name, delayMs) => {
  const secondSetting = { startDelayMs: 9_000 };
  const world = new World({ seed: 6, devices: 4, ...noDeputy, secondSetting });
  prefer(world, name);
  world.start();
  const memberOf = () => world.device(name).process?.session?.member;
  expect(world.run(30_000, () => memberOf()?.role === "representative")).toBe(true);
  const { state } = memberOf()!;
  if (state.role !== "representative") throw new Error("the device leads");
  expect(state.sendFromMs - state.electedAtMs).toBe(delayMs);
  expect(world.run(120_000, () => world.allComplete)).toBe(true);
});

test("worlds of the sweep draw second settings, and hold all invariants", () => {
  const seeds = Array.from({ length: 400 }, (_, index) => index + 1);
  const drawn = seeds.filter((seed) => {
    const { world } = createScenario({ seed });
    return world.options.devices > world.options.subnets && (world.options.secondSetting ?? null) !== null;
  });
  expect(drawn.length).toBeGreaterThan(10);
  for (const seed of drawn.slice(0, 10)) expect(simulate({ seed }).violation).toBeNull();
});
