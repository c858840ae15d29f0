import { describe, expect, test } from "bun:test";
import { TestSubnet, type TestDevice } from "./testing.ts";
import { rateFloorBps } from "./rate/rate-control.ts";
import { timing } from "./timing.ts";

const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

/** Time from the completion of the last other device to that of this one. */
function afterTheOthers({ devices }: TestSubnet, one: TestDevice): number {
  const others = devices.filter((device) => device !== one).map((device) => device.completeAtMs!);
  return one.completeAtMs! - Math.max(...others);
}

/** A started subnet whose last device receives no symbol from number `from` to number `to`. */
function withLossAt(seed: number, from: number, to: number): { subnet: TestSubnet; one: TestDevice } {
  const subnet = new TestSubnet({ seed, devices: 8, wanMsPerChunk: 1 });
  const one = subnet.devices.at(-1)!;
  const isLost = (): boolean => subnet.symbolsSent > from && subnet.symbolsSent <= to;
  subnet.delivers = (_from, device, what) => !(what === "symbol" && device === one && isLost());
  subnet.start();
  return { subnet, one };
}

const half = (name: string): number => (name < "D" ? 0 : 1);

describe("a session on one subnet", () => {
  test.each(seeds)("seed %d: crosses the WAN once and completes everywhere", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 8 });
    subnet.start();
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.representatives).toHaveLength(1);
    const others = subnet.devices.filter((device) => device.from.wan === 0);
    expect(others).toHaveLength(7);
    for (const device of others) expect(device.from.multicast + device.from.peers).toBe(40);
    // The standby fetched by unicast what was held before the multicast began.
    expect(others.filter((device) => device.from.peers > 0)).toHaveLength(1);
    // The download takes 4 s; the multicast follows its front.
    expect(Math.max(...subnet.devices.map((device) => device.completeAtMs!))).toBeLessThan(8_000);
  });

  test.each(seeds)("seed %d: a download that ends before the start delay is multicast after it", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 5, wanMsPerChunk: 1 });
    subnet.start();
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.symbolsSent).toBe(400);
    expect(subnet.devices.filter((device) => device.from.multicast === 40)).toHaveLength(3);
  });

  test.each(seeds)("seed %d: repair symbols repair 5 %% loss at little cost to the LAN", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 8, loss: 0.05 });
    subnet.start();
    expect(subnet.run(60_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.symbolsSent).toBeLessThan(40 * 10 * 1.6);
  });

  test.each(seeds)(
    "seed %d: a device that misses a few whole chunks completes soon after the others",
    (seed) => {
      const { subnet, one } = withLossAt(seed, 100, 120);
      expect(subnet.run(30_000)).toBe(true);
      expect(subnet.symbolsSent).toBeLessThanOrEqual(440);
      if (one.from.multicast === 0) return;
      expect(one.from.peers).toBe(0);
      expect(afterTheOthers(subnet, one)).toBeLessThan(400);
    },
  );

  test.each(seeds)("seed %d: nothing is retransmitted for a device that misses many whole chunks", (seed) => {
    const { subnet, one } = withLossAt(seed, 100, 200);
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.symbolsSent).toBe(400);
    if (one.from.multicast > 0) expect(one.from.peers).toBe(10);
  });

  test.each(seeds)(
    "seed %d: the rate of a device that sends less than allowed decreases from the measured send rate",
    (seed) => {
      // A fifth of the 65.5 Mbit/s that the setting allows.
      const portBps = 12_000_000;
      const options = { seed, devices: 4, chunkCount: 500, wanMsPerChunk: 1, castMsPerChunk: 1, loss: 0.06 };
      const subnet = new TestSubnet({ ...options, portBps });
      subnet.start();
      const rateBps = (): number => subnet.representatives[0]?.member.sendRateBps() ?? Infinity;
      expect(subnet.run(60_000, () => rateBps() < portBps)).toBe(true);
      expect(rateBps()).toBeGreaterThan(rateFloorBps);
      expect(subnet.run(60_000)).toBe(true);
    },
  );

  test.each(seeds)("seed %d: a lost NEED is soon sent again at the end", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 8, wanMsPerChunk: 1 });
    const [one] = subnet.devices.slice(-1);
    let lost = 0;
    // The last symbol is lost, and for 60 ms the NEEDs for it. The random delay of a NEED is 28 ms
    // at most.
    let nackedFromMs: number | null = null;
    subnet.delivers = (from, to, what) => {
      if (to === one && what === "symbol") return subnet.symbolsSent !== 400;
      if (from !== one || subnet.symbolsSent < 400) return true;
      nackedFromMs ??= subnet.nowMs;
      const isReceived = subnet.nowMs > nackedFromMs + 60;
      if (!isReceived) lost++;
      return isReceived;
    };
    subnet.start();
    expect(subnet.run(30_000)).toBe(true);
    if (one!.from.multicast === 0) return;
    expect(lost).toBeGreaterThan(0);
    expect(afterTheOthers(subnet, one!)).toBeLessThan(400);
  });

  test.each(seeds)("seed %d: a device that misses the last END soon learns of it from a flush", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 8, wanMsPerChunk: 1 });
    const [one] = subnet.devices.slice(-1);
    const lossMs = 50;
    let lossFromMs: number | null = null;
    // The last symbol, the repair of it, and the END after that are lost.
    subnet.delivers = (_from, to, what) => {
      if (to !== one || subnet.symbolsSent < 400) return true;
      if (subnet.symbolsSent === 400) return what === "control";
      if (what === "control") lossFromMs ??= subnet.nowMs;
      return lossFromMs !== null && subnet.nowMs > lossFromMs + lossMs;
    };
    subnet.start();
    expect(subnet.run(30_000)).toBe(true);
    // The device led, or fetched everything beforehand as the standby.
    if (one!.from.multicast === 0) return;
    expect(afterTheOthers(subnet, one!)).toBeLessThan(500);
  });

  test.each(seeds)(
    "seed %d: the WAN carries only what no device holds again when the representative fails half-way",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 8, startDelayMs: 0 });
      subnet.start();
      subnet.run(20_000, () => subnet.wanChunks >= 20);
      const first = subnet.representatives[0]!;
      subnet.kill(subnet.devices.indexOf(first));
      expect(subnet.run(60_000)).toBe(true);
      expect(subnet.wanChunks).toBeLessThanOrEqual(43);
      expect(subnet.devices.filter((device) => device.held.isFull).length).toBeGreaterThanOrEqual(7);
    },
  );

  test.each(seeds)(
    "seed %d: a representative that restarts before its failure is noticed continues the multicast",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 6, startDelayMs: 0 });
      subnet.start();
      subnet.run(20_000, () => subnet.wanChunks >= 20);
      const first = subnet.devices.indexOf(subnet.representatives[0]!);
      subnet.kill(first);
      subnet.run(500, () => false);
      subnet.start(first);
      expect(subnet.run(30_000)).toBe(true);
      expect(subnet.representatives.map((device) => subnet.devices.indexOf(device))).toEqual([first]);
      expect(subnet.wanChunks).toBeLessThanOrEqual(41);
      const peers = subnet.devices.filter((_, index) => index !== first);
      for (const { from } of peers) expect(from.multicast).toBeGreaterThan(35);
    },
  );

  test.each(seeds)(
    "seed %d: every device learns within seconds that the lease is granted to nobody",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 5 });
      subnet.failsLeases("three representatives failed alike");
      subnet.start();
      const allKnow = (): boolean =>
        subnet.devices.every(
          ({ member }) => member.state.role === "idle" && member.state.why.includes("alike"),
        );
      expect(subnet.run(timing.claimantSilentMs, allKnow)).toBe(true);
      expect(subnet.wanChunks).toBe(0);
    },
  );

  test.each(seeds)("seed %d: a killed device keeps its chunks when it restarts", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, startDelayMs: 0 });
    subnet.start();
    subnet.run(20_000, () => subnet.wanChunks >= 20);
    const peer = subnet.devices.findIndex((device) => device.member.role === "peer");
    subnet.kill(peer);
    subnet.run(500, () => false);
    const had = subnet.devices[peer]!.held.count;
    expect(had).toBeGreaterThan(0);
    subnet.start(peer);
    expect(subnet.run(60_000)).toBe(true);
    const { from } = subnet.devices[peer]!;
    expect(from.multicast + from.peers + from.wan).toBe(40);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)(
    "seed %d: one latecomer fetches the rest from holders, and nothing is multicast again",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 6, startDelayMs: 0 });
      subnet.start(0, 1, 2, 3, 4);
      subnet.run(20_000, () => subnet.wanChunks >= 20);
      subnet.start(5);
      expect(subnet.run(60_000)).toBe(true);
      expect(subnet.wanChunks).toBe(40);
      // The chunk that was under way when the device joined may be completed by repair.
      expect(subnet.symbolsSent - 400).toBeLessThan(10);
      expect(subnet.devices[5]!.from.peers).toBeGreaterThan(10);
    },
  );

  test.each(seeds)("seed %d: a device that joins after the end costs no WAN bytes", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, startDelayMs: 0 });
    subnet.start(0, 1, 2);
    expect(subnet.run(30_000)).toBe(true);
    subnet.run(40_000, () => false);
    expect(subnet.representatives).toHaveLength(0);
    subnet.start(3);
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    expect(subnet.devices[3]!.from.peers).toBe(40);
  });

  test.each(seeds)(
    "seed %d: without multicast the lease decides the election and peers take chunks by unicast",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 6, useMulticast: false });
      subnet.start();
      expect(subnet.run(60_000)).toBe(true);
      expect(subnet.wanChunks).toBe(40);
      expect(subnet.symbolsSent).toBe(0);
    },
  );

  test.each(seeds)("seed %d: the WAN is crossed once when the switch drops all multicast", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 6 });
    subnet.delivers = () => false;
    subnet.start();
    expect(subnet.run(60_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)(
    "seed %d: peers switch to unicast when announcements arrive and symbols do not",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 6 });
      subnet.delivers = (_from, _to, what) => what === "control";
      subnet.start();
      expect(subnet.run(60_000)).toBe(true);
      expect(subnet.wanChunks).toBe(40);
    },
  );

  test.each(seeds)("seed %d: the local election decides alone when the source is unreachable", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 6 });
    subnet.losesSource();
    subnet.start();
    expect(subnet.run(60_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)("seed %d: the lease decides between simultaneous claims on a slow WAN at once", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 12, sourceMs: 400, loss: 0.05 });
    subnet.start();
    expect(subnet.run(3_000, () => subnet.representatives.length > 0)).toBe(true);
    expect(subnet.run(30_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
  });

  test.each(seeds)(
    "seed %d: devices of weight 0 never lead, and find the representative without multicast, too",
    (seed) => {
      const subnet = new TestSubnet({
        seed,
        devices: 5,
        useMulticast: false,
        rank: (index) => (index === 2 ? { kind: "score", score: 0.1 } : { kind: "never" }),
      });
      subnet.start();
      expect(subnet.run(60_000)).toBe(true);
      expect(subnet.wanChunks).toBe(40);
      expect(subnet.devices[2]!.from.wan).toBe(40);
    },
  );

  test("two partitions without a source both have a representative; one steps down when they merge", () => {
    const subnet = new TestSubnet({ seed: 3, devices: 6, startDelayMs: 60_000, wanMsPerChunk: 5_000 });
    subnet.losesSource();
    subnet.delivers = (from, to) => half(from.name) === half(to.name);
    subnet.start();
    subnet.run(15_000, () => false);
    expect(subnet.representatives).toHaveLength(2);
    subnet.delivers = () => true;
    subnet.run(5 * timing.announceEveryMs, () => false);
    expect(subnet.representatives).toHaveLength(1);
  });

  test.each(seeds)("seed %d: the chunks of a device that joins half-way are known from its SEEK", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 3, wanMsPerChunk: 100, startDelayMs: 60_000 });
    subnet.world.precache(
      "C",
      Array.from({ length: 30 }, (_, chunk) => chunk),
    );
    subnet.start(0, 1);
    subnet.run(20_000, () => subnet.wanChunks === 3);
    subnet.start(2);
    expect(subnet.run(90_000)).toBe(true);
    // Ten chunks that no device holds, and chunks in flight before the SEEK arrived.
    expect(subnet.wanChunks).toBeLessThanOrEqual(3 + 10 + 5);
  });

  test.each(seeds)(
    "seed %d: a device that neither multicast data nor the exchange reaches downloads for itself in the end",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 4, wanMsPerChunk: 10_000, startDelayMs: 0 });
      subnet.start(0, 1, 2);
      subnet.run(12_000, () => false);
      const cutOff = subnet.devices[3]!;
      subnet.delivers = (_from, to, what) => to !== cutOff || what === "control";
      subnet.connects = (from) => from !== cutOff;
      subnet.start(3);
      subnet.run(60_000, () => false);
      expect(cutOff.from.wan).toBe(0);
      expect(subnet.run(90_000, () => cutOff.from.wan > 0)).toBe(true);
    },
  );

  test.each(seeds)("seed %d: a device that downloads for itself waits when the web site fails", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 2, wanMsPerChunk: 10_000 });
    subnet.delivers = () => false;
    subnet.connects = () => false;
    subnet.start();
    expect(subnet.run(150_000, () => subnet.devices.every((device) => device.from.wan > 0))).toBe(true);
    subnet.world.setWeb("down");
    subnet.run(30_000, () => false);
    subnet.world.setWeb("up");
    expect(subnet.run(2_000_000)).toBe(true);
  });

  test.each(seeds)(
    "seed %d: a latecomer that multicast data does not reach switches to unicast during the session",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 4, wanMsPerChunk: 1_000, startDelayMs: 0 });
      subnet.start(0, 1, 2);
      subnet.run(10_000, () => false);
      const unreached = subnet.devices[3]!;
      subnet.delivers = (_from, to, what) => to !== unreached || what === "control";
      subnet.start(3);
      expect(subnet.run(10_000, () => unreached.from.peers > 0)).toBe(true);
      expect(subnet.run(60_000)).toBe(true);
      expect(subnet.wanChunks).toBe(40);
    },
  );

  test.each(seeds)("seed %d: the session ends when multicast is switched off half-way", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, startDelayMs: 0, castMsPerChunk: 100 });
    subnet.start();
    subnet.run(3_000, () => false);
    subnet.world.changeSetting({ useMulticast: false });
    expect(subnet.run(60_000)).toBe(true);
    expect(subnet.wanChunks).toBe(40);
    subnet.run(30_000, () => false);
    expect(subnet.representatives).toHaveLength(0);
  });

  test.each(seeds)(
    "seed %d: peers use the WAN fallback when the representative serves only wrong chunks",
    (seed) => {
      const subnet = new TestSubnet({ seed, devices: 3, useMulticast: false });
      subnet.start(0);
      expect(subnet.run(30_000, () => subnet.devices[0]!.held.isFull)).toBe(true);
      // Chunks 5 and 6 of the only holder are wrong, whenever they are asked for.
      subnet.spoils(0, (chunk) => chunk === 5 || chunk === 6);
      subnet.start(1, 2);
      expect(subnet.run(200_000)).toBe(true);
      // That device leads or has left. The WAN carries what its copy is missing, not the whole
      // package for every device.
      expect(subnet.wanChunks).toBeLessThanOrEqual(40 + 2 * 40);
      for (const { from, held } of subnet.devices.slice(1)) expect(from.wan + from.peers).toBe(held.size);
    },
  );

  test("a successor that joined late does not wait the start delay again", () => {
    const subnet = new TestSubnet({ seed: 1, devices: 3, startDelayMs: 30_000, wanMsPerChunk: 2_000 });
    subnet.start(0);
    subnet.run(40_000, () => false);
    subnet.start(1, 2);
    subnet.run(5_000, () => false);
    subnet.kill(0);
    const sent = subnet.symbolsSent;
    expect(subnet.run(10_000, () => subnet.representatives.length > 0)).toBe(true);
    expect(subnet.run(6_000, () => subnet.symbolsSent > sent)).toBe(true);
  });

  test.each(seeds)("a WANT of a device that begins later does not delay the download; seed %i", (seed) => {
    const subnet = new TestSubnet({
      seed,
      devices: 3,
      rank: (index) => ({ kind: "score", score: index === 0 ? 0.75 : 0 }),
      wanMsPerChunk: 1,
      sourceMs: 5,
    });
    subnet.start(0, 1);
    const begunAtMs = subnet.nowMs;
    subnet.run(220, () => false);
    subnet.start(2);
    expect(subnet.representatives).toEqual([]);
    expect(subnet.run(10_000, () => subnet.wanChunks > 0)).toBe(true);
    expect(subnet.nowMs - begunAtMs).toBeLessThan(timing.haveWaitMs + timing.listenMs / 2 + 50);
  });

  test("an election succeeds with the highest possible term", () => {
    const subnet = new TestSubnet({ seed: 1, devices: 2 });
    subnet.start();
    subnet.run(3_000, () => false);
    subnet.kill(subnet.devices.indexOf(subnet.representatives[0]!));
    const left = subnet.devices.find(({ isUp }) => isUp);
    left!.member.term = 0xffff_ffff;
    expect(subnet.run(60_000)).toBe(true);
  });
});
