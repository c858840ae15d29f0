/**
 * Identity of a subnet with real programs in network namespaces: gateways that stop to answer, a
 * VPN, two routers, devices without a gateway. Needs Linux, root and the programs below, or is
 * skipped (network-test.ts).
 */
import { expect } from "bun:test";
import { inside, ip } from "../scripts/lab/namespace.ts";
import { outputOf } from "../scripts/rig/process.ts";
import { until } from "./harness.ts";
import { openLan } from "./lan.ts";
import { networkTest } from "./network-test.ts";
import { untilStatus } from "./place.ts";

const lanTest = networkTest("ip", "nft", "curl");

type Lan = Awaited<ReturnType<typeof openLan>>;

/** Waits for a check-in that begins now, and returns the device's entry at the source. */
async function checkedIn(lan: Lan) {
  const before = (await lan.devices())[0]!.lastSeenAtMs;
  await lan.source.admin("setting", "set", "default", "sessionStartDelay=300ms");
  return until(
    () => "the device does not check in",
    10_000,
    async () => (await lan.devices()).find(({ lastSeenAtMs }) => lastSeenAtMs > before) ?? null,
  );
}

lanTest(
  "a device keeps its subnet while the gateway is silent, and while a VPN takes the default route",
  async () => {
    await using lan = await openLan({ routers: 1, isSourceOnLan: true });
    await lan.add("a", { host: 10, gateway: 1 });
    const place = await lan.start("a");
    await untilStatus(place, 15_000, ({ subnetId }) => subnetId !== null);
    // Nothing but the agent's own datagram makes the system ask for the gateway's MAC.
    const first = await checkedIn(lan);
    const macOf = (device: typeof first) =>
      device.inventory!.interfaces.find(({ active }) => active)!.gatewayMac;
    expect(macOf(first)).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);

    const device = lan.names("a");
    await ip(lan.names("router1"), ["link set lan0 down"]);
    await ip(device, ["neigh flush dev eth0 to 10.71.1.1"]);
    const silent = await checkedIn(lan);
    expect(macOf(silent)).toBe(macOf(first));
    expect(silent.subnetId).toBe(first.subnetId);

    await ip(lan.names("router1"), ["link set lan0 up"]);
    await ip(device, [
      "link add tun0 type veth peer name far",
      "link set far up",
      "addr add 10.8.0.2/24 dev tun0",
      "link set tun0 up",
      "route add default via 10.8.0.1 dev tun0 metric 5",
      "neigh add 10.8.0.1 lladdr 02:08:00:00:00:01 dev tun0",
    ]);
    expect(await checkedIn(lan)).toMatchObject({ subnetId: first.subnetId });
    // The VPN removes the LAN's default route, and keeps a route to its server.
    await ip(device, ["route del default via 10.71.1.1 dev eth0", "route add 198.51.100.7/32 via 10.71.1.1"]);
    await place.device.stop();
    place.device.restart();
    await untilStatus(place, 15_000, ({ subnetId }) => subnetId !== null);
    const tunnelled = await checkedIn(lan);
    expect(macOf(tunnelled)).toBe(macOf(first));
    expect(tunnelled.subnetId).toBe(first.subnetId);
    await ip(device, ["route del 198.51.100.7/32 via 10.71.1.1"]);
    expect(await checkedIn(lan)).toMatchObject({ subnetId: first.subnetId });
  },
  60_000,
);

/** Waits until the source lists one subnet with all devices. */
const untilOneSubnet = (lan: Lan, devices: number) =>
  until(
    async () => `there is not one subnet: ${JSON.stringify(await lan.subnets())}`,
    15_000,
    async () => {
      const [one, ...others] = await lan.subnets();
      return others.length === 0 && one?.devices === devices && one.gateway.startsWith("gateway:")
        ? one
        : null;
    },
  );

lanTest(
  "devices of two routers in one LAN become one subnet, and the WAN is crossed once without multicast",
  async () => {
    await using lan = await openLan({ routers: 2, settings: ["useMulticast=false"] });
    for (const [at, called] of ["a", "b", "c", "d"].entries())
      await lan.add(called, { host: 10 + at, gateway: 1 + (at % 2) });
    const places = await Promise.all(["a", "b", "c", "d"].map((called) => lan.start(called)));
    const merged = await untilOneSubnet(lan, 4);
    expect([merged.gateway, ...merged.mergedGateways].map((gateway) => gateway.slice(0, 8))).toEqual([
      "gateway:",
      "gateway:",
    ]);
    for (const place of places) await untilStatus(place, 10_000, ({ subnetId }) => subnetId === merged.id);
    const sent = await lan.distribute("once.bin", 3_000_000);
    await sent.untilComplete(places);
    const { subnets } = await lan.task(sent.taskId);
    expect(subnets.map(({ devices, wanBytes }) => [devices, wanBytes])).toEqual([[4, 3_000_000]]);
    for (const place of places) expect(await sent.copyError(place)).toBeNull();

    // An administrator ends the merge. Without devices of router 2 nobody confirms it again.
    await Promise.all([places[1]!.device.stop(), places[3]!.device.stop()]);
    await lan.source.admin("subnet", "split", merged.id);
    expect((await lan.subnets()).map(({ devices }) => devices)).toEqual([2, 2]);
    expect(await lan.source.admin("subnet", "list")).toContain("gateway:");
  },
  90_000,
);

lanTest(
  "two LANs with one CIDR stay two subnets, and each gets the package over the WAN",
  async () => {
    await using lan = await openLan({ routers: 2, settings: ["useMulticast=false"] });
    await lan.add("a", { host: 10, gateway: 1 });
    await lan.add("b", { host: 11, gateway: 2 });
    // The switch keeps the ports of router 1 and a apart from those of router 2 and b.
    await ip(lan.names("switch"), [
      "link add other type bridge mcast_snooping 0",
      "link set other up",
      "link set to-router2 master other",
      "link set to-b master other",
    ]);
    const places = [await lan.start("a"), await lan.start("b")];
    for (const place of places) await untilStatus(place, 10_000, ({ subnetId }) => subnetId !== null);
    // Each of the two devices is asked to probe the other one, at its check-in.
    for (const place of places)
      await until(
        () => "no probe was attempted",
        10_000,
        async () => {
          const arrived = await outputOf([...inside(place.namespace), "ip", "neigh"]);
          return /10\.71\.1\.1[01] dev eth0 +(INCOMPLETE|FAILED)/.test(arrived) ? true : null;
        },
      );
    const sent = await lan.distribute("twice.bin", 1_000_000);
    await sent.untilComplete(places);
    const { subnets } = await lan.task(sent.taskId);
    expect(subnets.map(({ devices, wanBytes }) => [devices, wanBytes])).toEqual([
      [1, 1_000_000],
      [1, 1_000_000],
    ]);
  },
  60_000,
);

lanTest(
  "a device that knows no gateway joins the subnet of its neighbours, and the WAN is crossed once",
  async () => {
    await using lan = await openLan({ routers: 1, settings: ["useMulticast=false"] });
    await lan.add("linux", { host: 10, gateway: 1 });
    await lan.add("windows", { host: 11, gateway: 0 });
    const places = await Promise.all([lan.start("linux"), lan.start("windows")]);
    const merged = await untilOneSubnet(lan, 2);
    expect([merged.gateway.slice(0, 8), ...merged.mergedGateways]).toEqual(["gateway:", "egress:172.31.1.2"]);
    const sent = await lan.distribute("mixed.bin", 2_000_000);
    await sent.untilComplete(places);
    const { subnets } = await lan.task(sent.taskId);
    expect(subnets.map(({ devices, wanBytes }) => [devices, wanBytes])).toEqual([[2, 2_000_000]]);
  },
  60_000,
);

lanTest(
  "a device behind another router that joins midway follows the representative of the first one",
  async () => {
    const settings = ["useMulticast=false", "wanRate=8mbit"];
    await using lan = await openLan({ routers: 2, settings });
    await lan.add("a", { host: 10, gateway: 1 });
    await lan.add("b", { host: 11, gateway: 2 });
    const a = await lan.start("a");
    await untilStatus(a, 10_000, ({ subnetId }) => subnetId !== null);
    const sent = await lan.distribute("slow.bin", 6_000_000);
    await untilStatus(a, 15_000, ({ tasks }) => tasks.some(({ bytesVerified }) => bytesVerified > 1_000_000));
    const b = await lan.start("b");
    await sent.untilComplete([a, b]);
    const { subnets, deviceList } = await lan.task(sent.taskId);
    expect(subnets.map(({ devices }) => devices)).toEqual([2]);
    // Until the merge, within the first second, the second device may have had a lease of its own.
    expect(subnets[0]!.wanBytes).toBeLessThan(9_000_000);
    const own = deviceList.find(({ from }) => from.peers > 0)!;
    expect(own.from.peers).toBeGreaterThan(own.from.wan);
    expect(await sent.copyError(b)).toBeNull();
  },
  60_000,
);
