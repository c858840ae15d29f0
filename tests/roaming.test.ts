/**
 * A device that roams between two subnets, with real programs in network namespaces. A wire and a
 * radio lead to the subnets (both virtual; the name makes the second one a radio). Further
 * interfaces must not be used. Needs Linux, root, iproute2 and curl, or is skipped
 * (network-test.ts).
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import {
  enrollTokenOf,
  startDevice,
  startSource,
  type Device,
  type Source,
} from "../scripts/rig/deployment.ts";
import { addNamespace, inside, ip, removeNamespace } from "../scripts/lab/namespace.ts";
import { outputOf } from "../scripts/rig/process.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { networkTest } from "./network-test.ts";
import { distribute, untilStatus, type Place } from "./place.ts";

const roamingTest = networkTest("ip", "curl");

const sourceAddress = "10.255.0.1";

/** Builds subnets 10.71.1.0/24 and 10.71.2.0/24 with one router, which also runs the source. */
async function openSites() {
  const prefix = `fcroam${randomBytes(3).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "flockcast-roaming-"));
  const router = `${prefix}-router`;
  const made: string[] = [];
  const devices: Device[] = [];
  let source: Source | null = null;
  const add = async (namespace: string): Promise<void> => {
    made.push(namespace);
    await addNamespace(namespace);
  };
  const dispose = async (): Promise<void> => {
    await Promise.all([...devices.map((device) => device.kill()), source?.program.stop("SIGKILL")]);
    for (const namespace of made.toReversed()) await removeNamespace(namespace).catch(() => {});
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await add(router);
    await ip(router, [
      `addr add ${sourceAddress}/32 dev lo`,
      ...[1, 2].flatMap((site) => [
        `link add lan${site} type bridge mcast_snooping 0`,
        `addr add 10.71.${site}.1/24 brd + dev lan${site}`,
        `link set lan${site} up`,
      ]),
    ]);
    const serving = await startSource({
      programs: programsFromSource,
      data: join(folder, "source"),
      listen: `${sourceAddress}:0`,
      prefix: inside(router),
    });
    source = serving;
    const settings = ["sessionStartDelay=300ms", "reportInterval=200ms", "checkInInterval=5s"];
    // Slow enough for changes in the middle of a transfer.
    settings.push("lanRate=20mbit", "wanRate=16mbit");
    await serving.admin("setting", "set", "default", ...settings);
    const start = async (called: string, role: "peer" | "representative" = "peer"): Promise<Place> => {
      const namespace = `${prefix}-${called}`;
      const device = startDevice({
        programs: programsFromSource,
        name: called,
        role,
        data: join(folder, called),
        sourceUrl: serving.url,
        enrollToken: await enrollTokenOf(serving),
        prefix: inside(namespace),
      });
      devices.push(device);
      return { namespace, device };
    };
    /** Connects an interface of a device to a subnet; the switch port is "<device>-<interface>". */
    const plug = async (called: string, site: number, own: string, host: number): Promise<void> => {
      const namespace = `${prefix}-${called}`;
      const port = `${called}-${own}`;
      await ip(router, [
        `link add ${port} type veth peer name ${own} netns ${namespace}`,
        `link set ${port} master lan${site}`,
        `link set ${port} up`,
      ]);
      // Routes over an interface without a link are ignored, as network managers do.
      const sysctl = `echo 1 > /proc/sys/net/ipv4/conf/${own}/ignore_routes_with_linkdown`;
      await outputOf([...inside(namespace), "sh", "-c", sysctl]);
      await ip(namespace, [
        `addr add 10.71.${site}.${host}/24 brd + dev ${own}`,
        `link set ${own} up`,
        `route add default via 10.71.${site}.1 dev ${own} metric ${site * 100}`,
      ]);
    };
    const names = (called: string): string => `${prefix}-${called}`;
    return {
      folder,
      router,
      source: serving,
      devices,
      add: (called: string) => add(names(called)),
      names,
      start,
      plug,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Time for a file to arrive everywhere. */
const completeMs = 15_000;

roamingTest(
  "roams from cable to radio and back, and to a new address; works without multicast over a VPN",
  async () => {
    await using sites = await openSites();
    const roamer = sites.names("roamer");
    for (const called of ["near", "far", "remote", "roamer"]) await sites.add(called);
    await sites.plug("near", 1, "eth0", 10);
    await sites.plug("far", 2, "eth0", 10);
    await sites.plug("remote", 1, "tun0", 30);
    await sites.plug("roamer", 2, "wlan0", 20);
    await sites.plug("roamer", 1, "eth0", 20);
    await ip(roamer, [
      "link add docker0 type bridge",
      "addr add 172.17.0.1/16 dev docker0",
      "link set docker0 up",
      "link add tun0 type veth peer name tunnel",
      "link set tunnel up",
      "addr add 10.8.0.2/24 dev tun0",
      "link set tun0 up",
      // The route to the source does not decide which interface is used.
      `route add ${sourceAddress}/32 via 10.71.2.1 dev wlan0`,
    ]);
    const all = await Promise.all([
      sites.start("near"),
      sites.start("remote"),
      sites.start("roamer", "representative"),
      sites.start("far"),
    ]);
    const [near, remote, place] = all;
    const first = await untilStatus(place, 10_000, ({ subnetId }) => subnetId !== null);
    expect(first.interface).toEqual({ name: "eth0", address: "10.71.1.20", medium: "wired" });
    expect(first.interfaceWhy).toBe("");
    const nearStatus = await untilStatus(near, 10_000, ({ subnetId }) => subnetId !== null);
    expect(first.subnetId).toBe(nearStatus.subnetId);

    const alone = await untilStatus(remote, 10_000, ({ connected }) => connected);
    expect(alone.interface).toBeNull();
    expect(alone.multicastProblem).toBe("nothing is shared over vpn tun0");

    const pulled = await distribute(sites.source, sites.folder, "pulled.bin", 8_000_000);
    await pulled.untilUnderWay(place);
    await ip(sites.router, ["link set roamer-eth0 down"]);
    const onRadio = await untilStatus(place, 6_000, (status) => status.interface?.name === "wlan0");
    expect(onRadio.interfaceWhy).toBe("wired eth0 has no link");
    await pulled.untilComplete([place], completeMs);
    expect(await pulled.copyError(place)).toBeNull();

    await ip(sites.router, ["link set roamer-eth0 up"]);
    const back = await untilStatus(
      place,
      20_000,
      (status) => status.interface?.name === "eth0" && status.subnetId === nearStatus.subnetId,
    );
    expect(back.interfaceWhy).toBe("");

    const renumbered = await distribute(sites.source, sites.folder, "renumbered.bin", 8_000_000);
    await renumbered.untilUnderWay(place);
    await ip(roamer, [
      "addr del 10.71.1.20/24 dev eth0",
      "addr add 10.71.1.77/24 brd + dev eth0",
      "route add default via 10.71.1.1 dev eth0 metric 100",
    ]);
    await renumbered.untilComplete(all, completeMs);
    await pulled.untilComplete(all, completeMs);
    expect(await renumbered.copyError(place)).toBeNull();
    expect((await untilStatus(place, 6_000, ({ subnetId }) => subnetId !== null)).interface?.address).toBe(
      "10.71.1.77",
    );
    // Both transfers were running when the network changed. The second change is the return to
    // eth0.
    const log = (await readFile(place.device.program.logFile, "utf8")).split("\n");
    const story = log.flatMap((line) => /"msg":"(network changed|task ended)"/.exec(line)?.[1] ?? []);
    const [moved, over] = ["network changed", "task ended"];
    expect(story).toEqual([moved, over, moved, moved, over]);
    expect(await renumbered.copyError(remote)).toBeNull();
  },
  60_000,
);
