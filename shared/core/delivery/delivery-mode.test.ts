import { describe, expect, test } from "bun:test";
import { TestSubnet, type Delivers, type SubnetOptions, type TestDevice } from "../testing.ts";
import { timing } from "../timing.ts";
import { unicastReasonOf } from "./delivery-mode.ts";

const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

const unicastReasons = (subnet: TestSubnet): string[] =>
  subnet.devices.flatMap(({ member: { state } }) =>
    state.role === "peer" ? [unicastReasonOf(state.delivery)] : [],
  );

const prunedAtHalf = (seed: number): TestSubnet => {
  const subnet = new TestSubnet({ seed, devices: 6, startDelayMs: 0, wanMsPerChunk: 400 });
  subnet.start();
  subnet.run(20_000, () => subnet.wanChunks >= 15);
  subnet.delivers = () => false;
  return subnet;
};

/** Devices that reach each other neither by multicast nor by unicast. */
const isolated = (options: SubnetOptions): TestSubnet => {
  const subnet = new TestSubnet({ wanMsPerChunk: 50, ...options });
  subnet.delivers = () => false;
  subnet.connects = () => false;
  return subnet;
};

/** One peer receives nothing from some time before the multicast begins. */
const silenced = (seed: number): { subnet: TestSubnet; one: TestDevice } => {
  const subnet = new TestSubnet({ seed, devices: 6, startDelayMs: 12_000, wanMsPerChunk: 1 });
  subnet.start();
  subnet.run(3_000, () => false);
  const one = subnet.devices.find(({ member, from }) => member.role === "peer" && from.peers === 0)!;
  subnet.delivers = (_from, to) => to !== one;
  const isSilent = (): boolean => {
    const { state } = one.member;
    return state.role === "peer" && unicastReasonOf(state.delivery) !== "";
  };
  expect(subnet.run(5_000, isSilent)).toBe(true);
  subnet.run(1_500, () => false);
  expect(one.held.isEmpty).toBe(true);
  return { subnet, one };
};

describe("a subnet whose switch drops all multicast", () => {
  test.each(seeds)("seed %d: is detected within seconds, and nothing is multicast in vain", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 8, wanMsPerChunk: 300 });
    subnet.delivers = () => false;
    subnet.start();
    const allFetch = (): boolean =>
      subnet.devices.every(({ member, from }) => member.role === "representative" || from.peers > 0);
    expect(subnet.run(4_500, allFetch)).toBe(true);
    expect(unicastReasons(subnet)).toEqual(Array.from({ length: 7 }, () => "unheard"));
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.symbolsSent).toBe(0);
    subnet.run(30_000, () => false);
    expect(subnet.representatives).toHaveLength(0);
  });

  test.each(seeds)("seed %d: a failed representative costs no chunk that another device holds", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 6, wanMsPerChunk: 300 });
    subnet.delivers = () => false;
    subnet.start();
    subnet.run(20_000, () => subnet.wanChunks >= 20);
    subnet.kill(subnet.devices.indexOf(subnet.representatives[0]!));
    expect(subnet.run(60_000)).toBe(true);
    // Chunks that no other device had yet are downloaded again: two polls, and what was in flight.
    expect(subnet.wanChunks).toBeLessThanOrEqual(46);
  });
});

describe("a package that another device holds from an earlier session", () => {
  test.each(seeds)("seed %d: is found through the source where no frame is received", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, wanMsPerChunk: 50 });
    subnet.delivers = () => false;
    subnet.start(0, 1, 2);
    expect(subnet.run(30_000)).toBe(true);
    subnet.run(60_000, () => false);
    expect(subnet.representatives).toHaveLength(0);
    subnet.start(3);
    expect(subnet.run(10_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.devices[3]!.from.peers).toBe(40);
  });

  test.each(seeds)("seed %d: is downloaded at once when its holder has left", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 2, wanMsPerChunk: 50 });
    subnet.delivers = () => false;
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
  test.each(seeds)("seed %d: causes no election: the representative answers by unicast", (seed) => {
    const subnet = prunedAtHalf(seed);
    expect(subnet.run(4_000, () => unicastReasons(subnet).every((way) => way === "fell-silent"))).toBe(true);
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.became("representative")).toHaveLength(1);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)("seed %d: the devices return to multicast when the group works again", (seed) => {
    const subnet = prunedAtHalf(seed);
    subnet.run(5_000, () => false);
    expect(unicastReasons(subnet)).not.toContain("");
    subnet.delivers = () => true;
    expect(subnet.run(1_500, () => unicastReasons(subnet).every((way) => way === ""))).toBe(true);
    const before = subnet.devices.map(({ from }) => from.multicast);
    expect(subnet.run(30_000)).toBe(true);
    const peers = subnet.devices.filter(({ from }) => from.wan === 0);
    for (const peer of peers)
      expect(peer.from.multicast).toBeGreaterThan(before[subnet.devices.indexOf(peer)]!);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)("seed %d: two announcements lost by chance change no delivery mode", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 6, startDelayMs: 0, wanMsPerChunk: 400 });
    subnet.start();
    subnet.run(20_000, () => subnet.wanChunks >= 10);
    const unlucky = subnet.devices.find(({ member }) => member.role === "peer")!;
    subnet.delivers = (_from, to) => to !== unlucky;
    subnet.run(2_500, () => false);
    subnet.delivers = () => true;
    subnet.run(2_000, () => false);
    expect(unicastReasons(subnet)).toEqual(["", "", "", "", ""]);
    expect(subnet.run(30_000)).toBe(true);
    expect(unlucky.from.multicast).toBeGreaterThan(20);
    expect(subnet.became("representative")).toHaveLength(1);
  });
});

describe("a representative that falls silent for one device before its multicast begins", () => {
  test.each(seeds)(
    "seed %d: the device fetches nothing by unicast that it will receive by multicast",
    (seed) => {
      const { subnet, one } = silenced(seed);
      subnet.delivers = () => true;
      expect(subnet.run(30_000)).toBe(true);
      // The device may have become standby afterwards.
      expect(one.from.multicast).toBeGreaterThan(0);
      expect(subnet.symbolsSent).toBe(400);
    },
  );

  test.each(seeds)(
    "seed %d: the device fetches everything by unicast when the multicast begins without it",
    (seed) => {
      const { subnet, one } = silenced(seed);
      expect(subnet.run(30_000)).toBe(true);
      expect(one.from.peers).toBe(40);
      expect(subnet.became("representative")).toHaveLength(1);
      expect(subnet.wanChunks).toBe(40);
    },
  );
});

describe("a single device that multicast does not reach", () => {
  type Reachable = Delivers;
  const cases: [string, (one: TestDevice) => Reachable][] = [
    ["behind a port that drops it both ways", (one) => (from, to) => from !== one && to !== one],
    ["behind a firewall of its own", (one) => (_from, to) => to !== one],
  ];
  const rows = cases.flatMap(([what, hears]) => seeds.map((seed) => [what, seed, hears] as const));

  test.each(rows)(
    "%s, seed %d: fetches its copy from holders while the others listen",
    (_what, seed, hears) => {
      const subnet = new TestSubnet({ seed, devices: 6, wanMsPerChunk: 200 });
      const one = subnet.devices[2]!;
      subnet.delivers = hears(one);
      subnet.start();
      expect(subnet.run(40_000)).toBe(true);
      expect(subnet.wanChunks).toBe(40);
      expect(one.from.peers).toBe(40);
      // One of them is the standby and fetches some chunks by unicast.
      const listeners = subnet.devices.filter(({ from }) => from.multicast > 0 && from.wan === 0);
      expect(listeners).toHaveLength(4);
    },
  );

  test.each(seeds)("seed %d: serves the others by unicast when it leads and receives nobody", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, wanMsPerChunk: 500 });
    const [first] = subnet.devices;
    subnet.delivers = (_from, to) => to !== first;
    subnet.start(0);
    subnet.run(3_000, () => false);
    expect(subnet.representatives).toEqual([first!]);
    subnet.start(1, 2, 3);
    subnet.run(6_000, () => false);
    expect(unicastReasons(subnet)).toEqual(["not-heard", "not-heard", "not-heard"]);
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)(
    "seed %d: a radio among wired devices takes chunks by unicast from the beginning",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 5, wanMsPerChunk: 200 });
      const at = 3;
      subnet.makeWireless(at);
      subnet.start();
      subnet.run(20_000, () => subnet.wanChunks >= 10);
      const { state } = subnet.devices[at]!.member;
      if (state.role === "peer") expect(unicastReasonOf(state.delivery)).toBe("wireless");
      expect(subnet.run(30_000)).toBe(true);
      expect(subnet.wanChunks).toBe(40);
    },
  );
});

describe("a subnet where announcements arrive and symbols do not", () => {
  test.each(seeds)("seed %d: tries multicast again, and uses it when symbols arrive", (seed) => {
    const subnet = new TestSubnet({
      seed,
      devices: 4,
      chunkCount: 160,
      startDelayMs: 0,
      wanMsPerChunk: 1_000,
    });
    subnet.delivers = (_from, _to, what) => what === "control";
    subnet.start();
    const areWithoutData = (): boolean => unicastReasons(subnet).join() === "no-data,no-data,no-data";
    expect(subnet.run(20_000, areWithoutData)).toBe(true);
    // Each device counts as a listener until its first poll.
    subnet.run(2 * timing.pollEveryMs, () => false);
    const sent = subnet.symbolsSent;
    subnet.run(timing.multicastRetryMs / 2, () => false);
    expect(subnet.symbolsSent).toBe(sent);
    subnet.delivers = () => true;
    expect(subnet.run(timing.multicastRetryMs, () => unicastReasons(subnet).every((way) => way === ""))).toBe(
      true,
    );
    expect(subnet.run(200_000)).toBe(true);
    expect(subnet.wanChunks).toBe(160);
    const peers = subnet.devices.filter(({ from }) => from.wan === 0);
    for (const { from } of peers) expect(from.multicast).toBeGreaterThan(80);
  });
});

describe("the WAN fallback", () => {
  test.each(seeds)("seed %d: is used by one of twenty devices at a time, as the source allows", (seed) => {
    const subnet = isolated({ seed, devices: 20 });
    subnet.start();
    expect(subnet.run(1_200_000)).toBe(true);
    expect(subnet.tokens.max).toBe(1);
  });

  test.each(seeds)("seed %d: begins at different times when the source does not answer", (seed) => {
    const subnet = isolated({ seed, devices: 20 });
    subnet.refusesTokens();
    subnet.start();
    expect(subnet.run(300_000)).toBe(true);
    const times = subnet.devices.map(({ completeAtMs }) => completeAtMs!).toSorted((a, b) => a - b);
    // All but the representative, within the second minute.
    expect(times.at(-1)! - times[1]!).toBeGreaterThan(timing.fallbackMs / 2);
  });

  test("is not used when the setting forbids it", () => {
    const subnet = isolated({ seed: 1, devices: 4, wanMsPerChunk: 20_000, wanFallback: "never" });
    subnet.start();
    subnet.run(600_000, () => false);
    // The lease goes around, because its holder serves no other device.
    expect(subnet.wanChunks).toBeGreaterThan(0);
    expect(subnet.tokens.max).toBe(0);
  });
});

describe("a representative whose system refuses all symbols", () => {
  test.each(seeds)("seed %d: serves the others by unicast, and leads on", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 5, startDelayMs: 0, wanMsPerChunk: 10 });
    subnet.start();
    subnet.run(20_000, () => subnet.representatives.length === 1);
    const [leader] = subnet.representatives;
    leader!.machine.faults.portBps = 0;
    expect(subnet.run(60_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });
});
