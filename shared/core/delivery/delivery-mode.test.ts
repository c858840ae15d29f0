import { describe, expect, test } from "bun:test";
import { VirtualSubnet, type VirtualDevice } from "../testing.ts";
import { timing } from "../timing.ts";

const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

const ways = (subnet: VirtualSubnet): string[] =>
  subnet.devices.flatMap(({ member: { state } }) => (state.role === "peer" ? [state.wayReason] : []));
/** Role changes into that role. */
const became = (subnet: VirtualSubnet, role: string): string[] =>
  subnet.history.filter((line) => line.includes(`→${role}`));

const prunedAtHalf = (seed: number): VirtualSubnet => {
  const subnet = new VirtualSubnet({ seed, devices: 6, startDelayMs: 0, wanMsPerChunk: 400 });
  subnet.start();
  subnet.run(20_000, () => subnet.wanChunks >= 15);
  subnet.hears = () => false;
  return subnet;
};

/** Devices that neither hear nor reach each other. */
const apart = (seed: number, devices: number, wanMsPerChunk = 50): VirtualSubnet => {
  const subnet = new VirtualSubnet({ seed, devices, wanMsPerChunk });
  subnet.hears = () => false;
  subnet.reaches = () => false;
  return subnet;
};

/** One peer hears nothing from a while before the multicast begins. */
const silenced = (seed: number): { subnet: VirtualSubnet; one: VirtualDevice } => {
  const subnet = new VirtualSubnet({ seed, devices: 6, startDelayMs: 12_000, wanMsPerChunk: 1 });
  subnet.start();
  subnet.run(3_000, () => false);
  const one = subnet.devices.find(({ member, from }) => member.role === "peer" && from.peers === 0)!;
  subnet.hears = (_from, to) => to !== one;
  const isSilent = (): boolean => one.member.state.role === "peer" && one.member.state.wayReason !== "";
  expect(subnet.run(5_000, isSilent)).toBe(true);
  subnet.run(1_500, () => false);
  expect(one.held.isEmpty).toBe(true);
  return { subnet, one };
};

describe("a subnet whose switch drops all multicast", () => {
  test.each(seeds)("seed %d: is found out within seconds, and nothing is multicast in vain", (seed) => {
    const subnet = new VirtualSubnet({ seed, devices: 8, wanMsPerChunk: 300 });
    subnet.hears = () => false;
    subnet.start();
    const allFetch = (): boolean =>
      subnet.devices.every(({ member, from }) => member.role === "representative" || from.peers > 0);
    expect(subnet.run(4_500, allFetch)).toBe(true);
    expect(ways(subnet)).toEqual(Array.from({ length: 7 }, () => "unheard"));
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.symbolsSent).toBe(0);
    subnet.run(30_000, () => false);
    expect(subnet.representatives).toHaveLength(0);
  });

  test.each(seeds)("seed %d: a representative that dies costs no chunk that another device holds", (seed) => {
    const subnet = new VirtualSubnet({ seed, devices: 6, wanMsPerChunk: 300 });
    subnet.hears = () => false;
    subnet.start();
    subnet.run(20_000, () => subnet.wanChunks >= 20);
    subnet.kill(subnet.devices.indexOf(subnet.representatives[0]!));
    expect(subnet.run(60_000)).toBe(true);
    // What it had not handed on yet is fetched again: two polls and what was under way.
    expect(subnet.wanChunks).toBeLessThanOrEqual(46);
  });
});

describe("a package that a neighbour got from an earlier session", () => {
  test.each(seeds)("seed %d: is found through the source where nobody is heard", (seed) => {
    const subnet = new VirtualSubnet({ seed, devices: 4, wanMsPerChunk: 50 });
    subnet.hears = () => false;
    subnet.start(0, 1, 2);
    expect(subnet.run(30_000)).toBe(true);
    subnet.run(60_000, () => false);
    expect(subnet.representatives).toHaveLength(0);
    subnet.start(3);
    expect(subnet.run(10_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.devices[3]!.from.peers).toBe(40);
  });

  test.each(seeds)("seed %d: one that is gone is not waited for", (seed) => {
    const subnet = new VirtualSubnet({ seed, devices: 2, wanMsPerChunk: 50 });
    subnet.hears = () => false;
    subnet.start(0);
    expect(subnet.run(30_000)).toBe(true);
    subnet.run(60_000, () => false);
    subnet.kill(0);
    subnet.start(1);
    expect(subnet.run(10_000, () => subnet.devices[1]!.held.isFull)).toBe(true);
    expect(subnet.devices[1]!.from.wan).toBe(40);
  });
});

describe("a group that the switch prunes in the middle of a session", () => {
  test.each(seeds)("seed %d: no election: the representative answers by unicast", (seed) => {
    const subnet = prunedAtHalf(seed);
    expect(subnet.run(4_000, () => ways(subnet).every((way) => way === "fell-silent"))).toBe(true);
    expect(subnet.run(30_000)).toBe(true);
    expect(became(subnet, "representative")).toHaveLength(1);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)("seed %d: mended, the devices return to multicast", (seed) => {
    const subnet = prunedAtHalf(seed);
    subnet.run(5_000, () => false);
    expect(ways(subnet)).not.toContain("");
    subnet.hears = () => true;
    expect(subnet.run(1_500, () => ways(subnet).every((way) => way === ""))).toBe(true);
    const before = subnet.devices.map(({ from }) => from.multicast);
    expect(subnet.run(30_000)).toBe(true);
    const peers = subnet.devices.filter(({ from }) => from.wan === 0);
    for (const peer of peers)
      expect(peer.from.multicast).toBeGreaterThan(before[subnet.devices.indexOf(peer)]!);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)("seed %d: two announcements lost by chance change nothing", (seed) => {
    const subnet = new VirtualSubnet({ seed, devices: 6, startDelayMs: 0, wanMsPerChunk: 400 });
    subnet.start();
    subnet.run(20_000, () => subnet.wanChunks >= 10);
    const unlucky = subnet.devices.find(({ member }) => member.role === "peer")!;
    subnet.hears = (_from, to) => to !== unlucky;
    subnet.run(2_500, () => false);
    subnet.hears = () => true;
    subnet.run(2_000, () => false);
    expect(ways(subnet)).toEqual(["", "", "", "", ""]);
    expect(subnet.run(30_000)).toBe(true);
    expect(unlucky.from.multicast).toBeGreaterThan(20);
    expect(became(subnet, "representative")).toHaveLength(1);
  });
});

describe("a representative that falls silent for one device before its multicast begins", () => {
  test.each(seeds)("seed %d: the device takes nothing by unicast that it will hear", (seed) => {
    const { subnet, one } = silenced(seed);
    subnet.hears = () => true;
    expect(subnet.run(30_000)).toBe(true);
    // It may have become deputy afterwards.
    expect(one.from.multicast).toBeGreaterThan(0);
    expect(subnet.symbolsSent).toBe(400);
  });

  test.each(seeds)("seed %d: it takes all that way when the multicast begins without it", (seed) => {
    const { subnet, one } = silenced(seed);
    expect(subnet.run(30_000)).toBe(true);
    expect(one.from.peers).toBe(40);
    expect(became(subnet, "representative")).toHaveLength(1);
    expect(subnet.wanChunks).toBe(40);
  });
});

describe("one device alone that multicast does not reach", () => {
  type Hears = VirtualSubnet["hears"];
  const cases: [string, (one: VirtualDevice) => Hears][] = [
    ["behind a port that drops it both ways", (one) => (from, to) => from !== one && to !== one],
    ["behind a firewall of its own", (one) => (_from, to) => to !== one],
  ];
  const rows = cases.flatMap(([what, hears]) => seeds.map((seed) => [what, seed, hears] as const));

  test.each(rows)(
    "%s, seed %d: takes its copy from its neighbours, the others listen",
    (_what, seed, hears) => {
      const subnet = new VirtualSubnet({ seed, devices: 6, wanMsPerChunk: 200 });
      const one = subnet.devices[2]!;
      subnet.hears = hears(one);
      subnet.start();
      expect(subnet.run(40_000)).toBe(true);
      expect(subnet.wanChunks).toBe(40);
      expect(one.from.peers).toBe(40);
      // One of them is deputy, and takes some chunks by unicast.
      const listeners = subnet.devices.filter(({ from }) => from.multicast > 0 && from.wan === 0);
      expect(listeners).toHaveLength(4);
    },
  );

  test.each(seeds)("seed %d: one that leads and hears nobody serves the others by unicast", (seed) => {
    const subnet = new VirtualSubnet({ seed, devices: 4, wanMsPerChunk: 500 });
    const [first] = subnet.devices;
    subnet.hears = (_from, to) => to !== first;
    subnet.start(0);
    subnet.run(3_000, () => false);
    expect(subnet.representatives).toEqual([first!]);
    subnet.start(1, 2, 3);
    subnet.run(6_000, () => false);
    expect(ways(subnet)).toEqual(["not-heard", "not-heard", "not-heard"]);
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)("seed %d: a radio among wires takes chunks by unicast from the beginning", (seed) => {
    const subnet = new VirtualSubnet({ seed, devices: 5, wanMsPerChunk: 200 });
    const at = 3;
    subnet.radios.add(at);
    subnet.start();
    subnet.run(20_000, () => subnet.wanChunks >= 10);
    const { state } = subnet.devices[at]!.member;
    if (state.role === "peer") expect(state.wayReason).toBe("wireless");
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });
});

describe("where announcements come through and data does not", () => {
  test.each(seeds)("seed %d: multicast is tried again, and taken when data comes", (seed) => {
    const subnet = new VirtualSubnet({
      seed,
      devices: 4,
      chunkCount: 160,
      startDelayMs: 0,
      wanMsPerChunk: 1_000,
    });
    subnet.hears = (_from, _to, what) => what === "control";
    subnet.start();
    const areDeaf = (): boolean => ways(subnet).join() === "no-data,no-data,no-data";
    expect(subnet.run(20_000, areDeaf)).toBe(true);
    // Until each has asked by unicast, it still counts as a listener.
    subnet.run(2 * timing.pollEveryMs, () => false);
    const sent = subnet.symbolsSent;
    subnet.run(timing.multicastRetryMs / 2, () => false);
    expect(subnet.symbolsSent).toBe(sent);
    subnet.hears = () => true;
    expect(subnet.run(timing.multicastRetryMs, () => ways(subnet).every((way) => way === ""))).toBe(true);
    expect(subnet.run(200_000)).toBe(true);
    expect(subnet.wanChunks).toBe(160);
    const peers = subnet.devices.filter(({ from }) => from.wan === 0);
    for (const { from } of peers) expect(from.multicast).toBeGreaterThan(80);
  });
});

describe("the last resort", () => {
  test.each(seeds)("seed %d: of twenty devices one at a time downloads, as the source allows", (seed) => {
    const subnet = apart(seed, 20);
    subnet.start();
    expect(subnet.run(1_200_000)).toBe(true);
    expect(subnet.alone.max).toBe(1);
  });

  test.each(seeds)("seed %d: where the source gives no answer they begin at different times", (seed) => {
    const subnet = apart(seed, 20);
    subnet.fallbackTokensMax = null;
    subnet.start();
    expect(subnet.run(300_000)).toBe(true);
    const times = subnet.devices.map(({ completeAtMs }) => completeAtMs!).toSorted((a, b) => a - b);
    // All but the representative, within the second minute.
    expect(times.at(-1)! - times[1]!).toBeGreaterThan(timing.fallbackMs / 2);
  });

  test("never, if the setting says so", () => {
    const subnet = apart(1, 4, 20_000);
    subnet.wanFallback = "never";
    subnet.start();
    subnet.run(600_000, () => false);
    expect(subnet.devices.filter(({ held }) => held.count > 0)).toHaveLength(1);
  });
});
