/**
 * One LAN of network namespaces with a switch, up to two routers and devices, for tests with real
 * programs. The source is behind the routers, or on the LAN itself.
 *
 *     source ── 172.31.N.0/30 ── router N (10.71.1.N) ── switch ══ devices (10.71.1.10 …)
 *
 * Every router translates addresses, so that the source sees a public address for each router.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addNamespace, inside, ip, removeNamespace, translateAddresses } from "../scripts/lab/namespace.ts";
import {
  enrollTokenOf,
  startDevice,
  startSource,
  type Device,
  type Source,
} from "../scripts/rig/deployment.ts";
import { outputOf } from "../scripts/rig/process.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import type { Subnet, TaskDetail } from "../shared/api/schema/admin.ts";
import type { Device as ListedDevice } from "../shared/api/schema/device.ts";
import { distribute, type Place } from "./place.ts";

const settings = ["sessionStartDelay=300ms", "reportInterval=200ms", "checkInInterval=5s"];

type LanShape = {
  readonly routers: 1 | 2;
  /** The source is 10.71.1.250 on the LAN, instead of 10.255.0.1 behind the routers. */
  readonly isSourceOnLan?: boolean;
  /** Words `key=value` of the setting `default`. */
  readonly settings?: readonly string[];
};
type PlugShape = {
  /** Last byte of the address 10.71.1.x. */
  readonly host: number;
  /** Number of the router; 0: the device asks the LAN for every address, so it has no gateway. */
  readonly gateway: number;
};

export async function openLan(shape: LanShape) {
  const prefix = `fclan${randomBytes(3).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "flockcast-lan-"));
  const made: string[] = [];
  const devices: Device[] = [];
  let source: Source | null = null;
  const names = (called: string): string => `${prefix}-${called}`;
  const add = async (called: string): Promise<string> => {
    made.push(names(called));
    await addNamespace(names(called));
    return names(called);
  };
  const dispose = async (): Promise<void> => {
    await Promise.all([...devices.map((device) => device.kill()), source?.program.stop("SIGKILL")]);
    for (const namespace of made.toReversed()) await removeNamespace(namespace).catch(() => {});
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  /** Connects interface `own` of a namespace to the switch. */
  const plug = async (called: string, own: string, host: number): Promise<void> => {
    await ip(names("switch"), [
      `link add to-${called} type veth peer name ${own} netns ${names(called)}`,
      `link set to-${called} master lan`,
      `link set to-${called} up`,
    ]);
    await ip(names(called), [`addr add 10.71.1.${host}/24 brd + dev ${own}`, `link set ${own} up`]);
  };
  const addRouter = async (number: number): Promise<void> => {
    const router = await add(`router${number}`);
    await plug(`router${number}`, "lan0", number);
    await ip(names("source"), [
      `link add wan${number} type veth peer name wan netns ${router}`,
      `addr add 172.31.${number}.1/30 dev wan${number}`,
      `link set wan${number} up`,
    ]);
    await ip(router, [
      `addr add 172.31.${number}.2/30 dev wan`,
      "link set wan up",
      `route add default via 172.31.${number}.1`,
    ]);
    // Proxy ARP serves devices without a gateway.
    const sysctl = "echo 1 > ipv4/ip_forward && echo 1 > ipv4/conf/lan0/proxy_arp";
    await outputOf([...inside(router), "sh", "-c", `cd /proc/sys/net && ${sysctl}`]);
    await translateAddresses(router, "wan");
  };
  try {
    await add("switch");
    await ip(names("switch"), ["link add lan type bridge mcast_snooping 0", "link set lan up"]);
    await add("source");
    await ip(names("source"), ["addr add 10.255.0.1/32 dev lo"]);
    for (let number = 1; number <= shape.routers; number++) await addRouter(number);
    if (shape.isSourceOnLan) await plug("source", "eth0", 250);
    const serving = await startSource({
      programs: programsFromSource,
      data: join(folder, "source"),
      listen: shape.isSourceOnLan ? "10.71.1.250:0" : "10.255.0.1:0",
      prefix: inside(names("source")),
    });
    source = serving;
    await serving.admin("setting", "set", "default", ...settings, ...(shape.settings ?? []));
    const json = async <T>(...words: string[]): Promise<T> =>
      JSON.parse(await serving.admin(...words, "--json")) as T;
    return {
      folder,
      source: serving,
      names,
      /** Adds a device to the LAN, and does not start its agent. */
      add: async (called: string, { host, gateway }: PlugShape): Promise<void> => {
        const namespace = await add(called);
        await plug(called, "eth0", host);
        await ip(namespace, [`route add default ${gateway > 0 ? `via 10.71.1.${gateway} ` : ""}dev eth0`]);
      },
      /** Starts an agent; several may run on one device. */
      start: async (called: string, agent = called, args: readonly string[] = []): Promise<Place> => {
        const device = startDevice({
          programs: programsFromSource,
          name: agent,
          data: join(folder, agent),
          sourceUrl: serving.url,
          enrollToken: await enrollTokenOf(serving),
          prefix: inside(names(called)),
          args,
        });
        devices.push(device);
        return { namespace: names(called), device };
      },
      devices: () => json<ListedDevice[]>("device", "list"),
      subnets: () => json<Subnet[]>("subnet", "list"),
      task: (id: number) => json<TaskDetail>("task", "show", String(id)),
      /** Publishes a file of random bytes and creates a task for all devices. */
      distribute: (called: string, sizeBytes: number) => distribute(serving, folder, called, sizeBytes),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
