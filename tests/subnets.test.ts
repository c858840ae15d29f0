/**
 * Identity of a subnet with real programs in network namespaces: gateways that stop to answer, a
 * VPN, two routers, devices without a gateway. Needs Linux, root and the programs below, or is
 * skipped (network-test.ts).
 */
import { expect } from "bun:test";
import { ip } from "../scripts/lab/namespace.ts";
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
