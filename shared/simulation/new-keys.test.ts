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

/** Runs two devices without a WAN line: B, then A, which was off when B learned of the new keys. */
function runDivided(why: "epoch" | "removal"): World {
  const world = new World({ seed: 5, devices: 2, chunks: 60, wanRateBps: 20_000, log: false });
  world.start();
  expect(world.run(20_000, () => world.checks.wan.accounts[1]!.chunks > 2)).toBe(true);
  world.setLine(1, "cut");
  world.crash("A");
  world.keys.renew(why);
  world.wake("B");
  world.run(1_000);
  world.start("A");
  world.run(20_000);
  return world;
}

const leadersOf = (world: World): string[] => world.representatives(1).map(({ name }) => name);

test("a device that was off during a removal leads beside another one until it has checked in", () => {
  const world = runDivided("removal");
  const [a, b] = [world.device("A"), world.device("B")];
  expect(world.checks.reachability.canExchangeFrames(a, b)).toBe(false);
  // Longer together than the checkers allow to devices that receive each other.
  expect(leadersOf(world)).toEqual(["A", "B"]);
  world.setLine(1, "up");
  expect(world.run(40_000, () => world.checks.reachability.canExchangeFrames(a, b))).toBe(true);
  expect(a.process!.knowsSubnet).toBe(true);
  expect(world.run(240_000, () => world.isAtRest)).toBe(true);
});

test("a device that was off at the start of an epoch follows the leader: both know the key before", () => {
  const world = runDivided("epoch");
  const [a, b] = [world.device("A"), world.device("B")];
  expect(world.checks.reachability.canExchangeFrames(a, b)).toBe(true);
  expect(leadersOf(world)).toHaveLength(1);
  world.setLine(1, "up");
  expect(world.run(240_000, () => world.isAtRest)).toBe(true);
});

test("two devices count as able to exchange frames again once both were sent the new keys", () => {
  const world = new World({ seed: 3, devices: 2, log: false });
  world.start();
  world.run(2_000);
  const [a, b] = [world.device("A"), world.device("B")];
  const canExchange = (): boolean => world.checks.reachability.canExchangeFrames(a, b);
  expect(canExchange()).toBe(true);
  world.keys.renew("removal");
  world.wake("A");
  world.run(10);
  expect(canExchange()).toBe(false);
  world.wake("B");
  world.run(10);
  expect(canExchange()).toBe(true);
});

test("a complete device whose disk is full when it gets new keys uses them, and saves them later", () => {
  const world = new World({ seed: 3, devices: 3, log: false });
  world.start("A", "B");
  expect(world.run(120_000, () => world.isAtRest)).toBe(true);
  world.crash("A");
  world.fillDisk("B", true);
  world.keys.renew("removal");
  world.wake("B");
  world.fillDisk("B", false);
  world.start("C");
  expect(world.run(240_000, () => world.device("C").process!.isEnded)).toBe(true);
  expect(world.device("C").process!.receivedFrom("wan")).toBe(0);
  const newKeys = { packageKey: world.keys.package.toBase64(), packageKeyBefore: null };
  const savedKeys = (): unknown => world.device("B").ledger.packageKeys();
  expect(savedKeys()).not.toMatchObject([newKeys]);
  world.wake("B");
  expect(savedKeys()).toMatchObject([newKeys]);
});
