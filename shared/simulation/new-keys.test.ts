/** Sessions whose keys change: after a removal of a device, and at the start of an epoch. */
import { expect, test } from "bun:test";
import { World } from "./index.ts";

/** Runs until the multicast has begun, and changes the keys; the devices check in one by one. */
function runWithNewKeys(why: "epoch" | "removal"): World {
  const world = new World({ seed: 3, devices: 5, chunks: 60, log: false });
  const [late, ...others] = world.machines.map(({ name }) => name);
  world.start(...others);
  const isUnderWay = (): boolean => world.device(others[1]!).listedChunks.count > 6;
  expect(world.run(60_000, isUnderWay)).toBe(true);
  world.keys.renew(why);
  others.forEach((name, index) => world.at(world.nowMs + index * 200, () => world.wake(name)));
  // Knows the new keys only.
  world.at(world.nowMs + 1_500, () => world.start(late!));
  expect(world.run(240_000, () => world.isAtRest)).toBe(true);
  return world;
}

test.each(["epoch", "removal"] as const)(
  "a session under way moves to the keys of a new %s: a device with these alone gets its copy on the LAN",
  (why) => {
    // With the keys from before, the others would not receive it, nor be received by it.
    const world = runWithNewKeys(why);
    for (const { process } of world.machines) expect(process!.isEnded).toBe(true);
    const { wan, multicast } = world.device("A").process!.originBytes;
    expect([wan, multicast > 0]).toEqual([0, true]);
    // The chunks from before the change stay, so that the package crosses the WAN once.
    expect(world.checks.wan.accounts[1]!.chunks).toBe(world.chunkCount);
  },
);
