import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import { StandbyReplication } from "./standby.ts";
import { Holders } from "./holders.ts";
import { Roster } from "./roster.ts";
import { VirtualSubnet } from "../testing.ts";
import { timing } from "../timing.ts";

const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

/** 40 chunks in 4 s; the multicast would begin after 20 s. */
const openSubnet = (seed: number, devices = 8) => {
  const subnet = new VirtualSubnet({ seed, devices, startDelayMs: 20_000 });
  subnet.start();
  return subnet;
};
const indexOf = (subnet: VirtualSubnet, device: VirtualSubnet["devices"][number]): number =>
  subnet.devices.indexOf(device);
const holdersOfSome = (subnet: VirtualSubnet) =>
  subnet.devices.filter(({ state, held }) => state === "up" && held.count > 0);
const deputyOf = (subnet: VirtualSubnet) => holdersOfSome(subnet).find(({ from }) => from.peers > 0)!;

describe("what only the representative holds", () => {
  test.each(seeds)("seed %d: one peer takes it during the start delay, and only one", (seed) => {
    const subnet = openSubnet(seed);
    subnet.run(15_000, () => false);
    expect(subnet.symbolsSent).toBe(0);
    expect(holdersOfSome(subnet).map(({ held }) => held.count)).toEqual([40, 40]);
    expect(deputyOf(subnet).from).toEqual({ wan: 0, multicast: 0, peers: 40 });
    expect(subnet.run(20_000)).toBe(true);
    // The others hear each chunk once.
    expect(subnet.symbolsSent).toBe(400);
  });

  test.each(seeds)("seed %d: survives the representative, whenever it falls", (seed) => {
    const subnet = openSubnet(seed);
    subnet.run(20_000, () => subnet.wanChunks >= 5 + seed * 1.5);
    const fallen = subnet.representatives[0]!;
    subnet.kill(indexOf(subnet, fallen));
    expect(subnet.run(60_000)).toBe(true);
    // The last two chunks were on their way to the deputy, another was being downloaded.
    expect(subnet.wanChunks).toBeLessThanOrEqual(43);
  });

  test.each(seeds)(
    "seed %d: goes out first once the multicast has begun, however far behind that is",
    (seed) => {
      const subnet = new VirtualSubnet({
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
      // What came before the multicast began, and little more.
      expect(deputyOf(subnet).from.peers).toBeLessThanOrEqual(65);
      subnet.kill(indexOf(subnet, fallen));
      expect(subnet.run(60_000)).toBe(true);
      expect(subnet.wanChunks).toBeLessThanOrEqual(123);
      // The successor sends what was not sent, and one chunk again that was on its way.
      expect(subnet.symbolsSent).toBeLessThanOrEqual(1_210);
    },
  );

  test.each(seeds)("seed %d: finds another deputy when the first one falls", (seed) => {
    const subnet = openSubnet(seed);
    subnet.run(20_000, () => subnet.wanChunks >= 15);
    const first = deputyOf(subnet);
    subnet.kill(indexOf(subnet, first));
    subnet.run(8_000, () => false);
    const second = holdersOfSome(subnet).find(({ from }) => from.peers > 0)!;
    expect(second).not.toBe(first);
    expect(second.held.count).toBe(40);
    subnet.kill(indexOf(subnet, subnet.representatives[0]!));
    expect(subnet.run(60_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)("seed %d: a second device of two has all of it, and nothing is multicast", (seed) => {
    const subnet = openSubnet(seed, 2);
    expect(subnet.run(40_000)).toBe(true);
    expect(subnet.symbolsSent).toBe(0);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)("seed %d: what was cached before the session is not entrusted", (seed) => {
    const subnet = new VirtualSubnet({
      seed,
      devices: 5,
      startDelayMs: 10_000,
      rank: (index) => ({ kind: "score", score: index === 2 ? 1 : 0.3 }),
    });
    for (let chunk = 0; chunk < 40; chunk++) subnet.devices[2]!.held.add(chunk);
    subnet.start();
    subnet.run(8_000, () => false);
    expect(holdersOfSome(subnet)).toHaveLength(1);
    expect(subnet.run(20_000)).toBe(true);
    expect(subnet.wanChunks).toBe(0);
  });

  test.each(seeds)("seed %d: where unicast does not come through, the multicast still brings all", (seed) => {
    const subnet = openSubnet(seed);
    subnet.reaches = () => false;
    expect(subnet.run(40_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.symbolsSent).toBe(400);
  });
});

describe("whoever is named deputy", () => {
  const chunkCount = 40;
  /** Says what a device misses, as it would in a SEEK or a poll. */
  const hearing = () => {
    const trust = { roster: new Roster(), holders: new Holders(chunkCount), isSoleCopy: () => true };
    const says = (device: string, missing: number, nowMs: number, way: "multicast" | "unicast") =>
      trust.roster.update({
        device,
        address: device,
        lanPort: 1,
        missing: ChunkSet.fromRanges(chunkCount, [0, missing])!,
        receivedAtMs: nowMs,
        delivery: way,
      });
    return { trust, says };
  };
  const named = (
    entrusting: StandbyReplication,
    trust: ReturnType<typeof hearing>["trust"],
    untilMs: number,
  ) => {
    const devices = new Set<string>();
    for (let nowMs = 0; nowMs <= untilMs; nowMs += timing.standbyEveryMs)
      devices.add(entrusting.next(trust, nowMs)?.toDevice ?? "nobody");
    return [...devices];
  };

  test("takes nothing: each other one is tried before it is tried again", () => {
    const { trust, says } = hearing();
    says("gone", 10, 0, "multicast");
    says("gone too", 11, 0, "multicast");
    says("alive", 40, 0, "multicast");
    expect(named(new StandbyReplication(), trust, 3 * timing.standbyIdleMs)).toEqual([
      "gone",
      "gone too",
      "alive",
    ]);
  });

  test("turns out to take chunks by unicast: one that listens takes its place at once", () => {
    const { trust, says } = hearing();
    says("radio", 10, 0, "multicast");
    says("wired", 40, 0, "multicast");
    const entrusting = new StandbyReplication();
    expect(entrusting.next(trust, 0)?.toDevice).toBe("radio");
    says("radio", 9, 50, "unicast");
    expect(entrusting.next(trust, timing.standbyEveryMs)?.toDevice).toBe("wired");
  });

  test("is forgotten: another one is named", () => {
    const { trust, says } = hearing();
    says("gone", 10, 0, "multicast");
    says("alive", 40, 0, "multicast");
    const entrusting = new StandbyReplication();
    expect(entrusting.next(trust, 0)?.toDevice).toBe("gone");
    trust.roster.forget("gone");
    expect(entrusting.next(trust, timing.standbyEveryMs)?.toDevice).toBe("alive");
  });
});
