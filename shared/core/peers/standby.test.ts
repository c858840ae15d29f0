import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import { StandbyReplication } from "./standby.ts";
import { Holders } from "./holders.ts";
import { Roster } from "./roster.ts";
import { TestSubnet } from "../testing.ts";
import { timing } from "../timing.ts";

const allButOne = Array.from({ length: 39 }, (_, chunk) => chunk);
const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

/** 40 chunks in 4 s; the multicast would begin after 20 s. */
const openSubnet = (seed: number, devices = 8) => {
  const subnet = new TestSubnet({ seed, devices, startDelayMs: 20_000 });
  subnet.start();
  return subnet;
};
const indexOf = (subnet: TestSubnet, device: TestSubnet["devices"][number]): number =>
  subnet.devices.indexOf(device);
const holdersOfSome = (subnet: TestSubnet) =>
  subnet.devices.filter(({ isUp, held }) => isUp && held.count > 0);
const standbyOf = (subnet: TestSubnet) => holdersOfSome(subnet).find(({ from }) => from.peers > 0)!;

describe("chunks that only the representative holds", () => {
  test.each(seeds)("seed %d: are fetched by exactly one peer during the start delay", (seed) => {
    const subnet = openSubnet(seed);
    subnet.run(15_000, () => false);
    expect(subnet.symbolsSent).toBe(0);
    expect(holdersOfSome(subnet).map(({ held }) => held.count)).toEqual([40, 40]);
    expect(standbyOf(subnet).from).toEqual({ wan: 0, multicast: 0, peers: 40 });
    expect(subnet.run(20_000)).toBe(true);
    // The others receive each chunk once.
    expect(subnet.symbolsSent).toBe(400);
  });

  test.each(seeds)("seed %d: survive the representative, whenever it fails", (seed) => {
    const subnet = openSubnet(seed);
    subnet.run(20_000, () => subnet.wanChunks >= 5 + seed * 1.5);
    const fallen = subnet.representatives[0]!;
    subnet.kill(indexOf(subnet, fallen));
    expect(subnet.run(60_000)).toBe(true);
    // The last two chunks were on their way to the standby, another was being downloaded.
    expect(subnet.wanChunks).toBeLessThanOrEqual(43);
  });

  test.each(seeds)(
    "seed %d: are sent first once the multicast has begun, however far behind it is",
    (seed) => {
      const subnet = new TestSubnet({
        seed,
        devices: 8,
        chunkCount: 120,
        startDelayMs: 6_000,
        castMsPerChunk: 70,
      });
      subnet.start();
      subnet.run(20_000, () => subnet.wanChunks >= 105);
      const fallen = subnet.representatives[0]!;
      expect(subnet.symbolsSent).toBeLessThan(800);
      // Chunks from before the multicast began, and few more.
      expect(standbyOf(subnet).from.peers).toBeLessThanOrEqual(65);
      subnet.kill(indexOf(subnet, fallen));
      expect(subnet.run(60_000)).toBe(true);
      expect(subnet.wanChunks).toBeLessThanOrEqual(123);
      // The successor sends the unsent chunks, and one again that was in transmission.
      expect(subnet.symbolsSent).toBeLessThanOrEqual(1_210);
    },
  );

  test.each(seeds)("seed %d: are entrusted to another standby when the first one fails", (seed) => {
    const subnet = openSubnet(seed);
    subnet.run(20_000, () => subnet.wanChunks >= 15);
    const first = standbyOf(subnet);
    subnet.kill(indexOf(subnet, first));
    subnet.run(8_000, () => false);
    const second = holdersOfSome(subnet).find(({ from }) => from.peers > 0)!;
    expect(second).not.toBe(first);
    expect(second.held.count).toBe(40);
    subnet.kill(indexOf(subnet, subnet.representatives[0]!));
    expect(subnet.run(60_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)(
    "seed %d: are all fetched by the second of two devices, and nothing is multicast",
    (seed) => {
      const subnet = openSubnet(seed, 2);
      expect(subnet.run(40_000)).toBe(true);
      expect(subnet.symbolsSent).toBe(0);
      expect(subnet.wanChunks).toBe(40);
    },
  );

  test.each(seeds)("seed %d: are not entrusted when they were cached before the session", (seed) => {
    const subnet = new TestSubnet({
      seed,
      devices: 5,
      startDelayMs: 10_000,
      rank: (index) => ({ kind: "score", score: index === 2 ? 1 : 0.3 }),
    });
    subnet.world.precache("C", allButOne);
    subnet.start();
    subnet.run(8_000, () => false);
    expect(holdersOfSome(subnet).map(({ name }) => name)).toContain("C");
    // The one chunk that came over the WAN is replicated, the others are not.
    for (const { name, held } of subnet.devices) if (name !== "C") expect(held.count).toBeLessThanOrEqual(1);
    expect(subnet.run(20_000)).toBe(true);
    expect(subnet.wanChunks).toBe(1);
  });

  test.each(seeds)("seed %d: all arrive by multicast where unicast does not work", (seed) => {
    const subnet = openSubnet(seed);
    subnet.connects = () => false;
    expect(subnet.run(40_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.symbolsSent).toBe(400);
  });
});

describe("a standby", () => {
  const chunkCount = 40;
  /** A roster that notes what a device is missing, as its SEEK or poll would state it. */
  const rosterView = () => {
    const view = { roster: new Roster(), holders: new Holders(chunkCount), isSoleCopy: () => true };
    const notes = (device: string, missing: number, nowMs: number, way: "multicast" | "unicast") =>
      view.roster.update({
        device,
        address: device,
        lanPort: 1,
        missing: ChunkSet.fromRanges(chunkCount, [0, missing])!,
        receivedAtMs: nowMs,
        delivery: way,
      });
    return { view, notes };
  };
  const named = (
    replication: StandbyReplication,
    view: ReturnType<typeof rosterView>["view"],
    untilMs: number,
  ) => {
    const devices = new Set<string>();
    for (let nowMs = 0; nowMs <= untilMs; nowMs += timing.standbyEveryMs)
      devices.add(replication.next(view, nowMs)?.toDevice ?? "nobody");
    return [...devices];
  };

  test("that makes no progress is tried again only after every other device", () => {
    const { view, notes } = rosterView();
    notes("gone", 10, 0, "multicast");
    notes("gone too", 11, 0, "multicast");
    notes("alive", 40, 0, "multicast");
    expect(named(new StandbyReplication(), view, 3 * timing.standbyIdleMs)).toEqual([
      "gone",
      "gone too",
      "alive",
    ]);
  });

  test("that turns out to be on unicast is replaced by a listener at once", () => {
    const { view, notes } = rosterView();
    notes("radio", 10, 0, "multicast");
    notes("wired", 40, 0, "multicast");
    const replication = new StandbyReplication();
    expect(replication.next(view, 0)?.toDevice).toBe("radio");
    notes("radio", 9, 50, "unicast");
    expect(replication.next(view, timing.standbyEveryMs)?.toDevice).toBe("wired");
  });

  test("that is forgotten is replaced by another device", () => {
    const { view, notes } = rosterView();
    notes("gone", 10, 0, "multicast");
    notes("alive", 40, 0, "multicast");
    const replication = new StandbyReplication();
    expect(replication.next(view, 0)?.toDevice).toBe("gone");
    view.roster.forget("gone");
    expect(replication.next(view, timing.standbyEveryMs)?.toDevice).toBe("alive");
  });
});
