/**
 * Network of the lab, made of namespaces without a link to the outside:
 *
 *   source ── WAN link (rate, both ways) ── router of site N ── bridge ══ devices (port rate, loss)
 *
 * The bridge floods multicast, as a switch without IGMP snooping does, unless the shape has
 * impairments.
 */
import { outputOf } from "../rig/process.ts";
import { impair, impairmentOf, snoopingWords, needsSnooping, type MulticastKind } from "./impairment.ts";
import { mtuAt, usualMtu, type SiteMtu } from "./mtu.ts";
import { portOf, type LabDevice, type LabSite } from "./site.ts";
import {
  addNamespace,
  inside,
  ip,
  limitRate,
  dropIngress,
  namespaces,
  removeNamespace,
  translateAddresses,
} from "./namespace.ts";

export type LabNetwork = {
  readonly source: string;
  readonly sourceAddress: string;
  readonly sites: readonly LabSite[];
};
type LabShape = {
  readonly subnets: number;
  readonly devices: number;
  readonly wan: number;
  readonly lan: number;
  readonly loss: number;
  readonly nat?: boolean | undefined;
  /** The switch cuts runs of datagrams, as between network cards without offloads. */
  readonly cutRuns?: boolean | undefined;
  readonly multicast?: MulticastKind;
  /** MTUs of the sites' links in turn; none: all have the usual one. */
  readonly siteMtus?: readonly SiteMtu[];
};

/**
 * Bursts large enough for the token bucket at these rates, and small enough for short transfers.
 */
const wanBurstBytes = 32_768;
export const lanBurstBytes = 262_144;

const sourceAddress = "10.255.0.1";

/** Returns the names and addresses of a lab, and builds nothing. @param prefix of all namespaces */
export function planNetwork(prefix: string, shape: LabShape): LabNetwork {
  const { siteMtus = [usualMtu] } = shape;
  const sites = Array.from({ length: shape.subnets }, (_, index): LabSite => {
    const number = index + 1;
    const mtu = siteMtus[index % siteMtus.length]!;
    const net = shape.nat ? "192.168.1" : `10.${number}.0`;
    return {
      name: `site${number}`,
      cidr: `${net}.0/24`,
      router: `${prefix}-r${number}`,
      wanDevice: `wan${number}`,
      mtuFalls: mtu === "falls",
      devices: Array.from({ length: shape.devices }, (_unused, at): LabDevice => {
        const impairment = impairmentOf(shape.multicast ?? "works", at, shape.devices);
        return {
          name: `s${number}-d${at + 1}`,
          namespace: `${prefix}-s${number}d${at + 1}`,
          address: `${net}.${at + 10}`,
          link: impairment === "wireless" ? "wlan0" : "eth0",
          impairment,
          mtu: mtuAt(mtu, at, shape.devices),
        };
      }),
    };
  });
  return { source: `${prefix}-source`, sourceAddress, sites };
}

/** Returns every namespace of the plan: devices first, the source last. */
const namespacesOf = (network: LabNetwork): string[] => [
  ...network.sites.flatMap((site) => [...site.devices.map(({ namespace }) => namespace), site.router]),
  network.source,
];

export const gatewayOf = (site: LabSite): string => site.cidr.replace(/0\/24$/, "1");

async function buildWan(network: LabNetwork, site: LabSite, number: number, shape: LabShape): Promise<void> {
  const near = nearAddress(number);
  const far = farAddress(number);
  // One segment a packet. With segmentation offload the kernel counts one header for several
  // packets (4 % too few bytes).
  const set = "gso_max_segs 1";
  await ip(network.source, [
    `link add ${site.wanDevice} ${set} type veth peer name wan ${set} netns ${site.router}`,
    `addr add ${near}/30 brd + dev ${site.wanDevice}`,
    `link set ${site.wanDevice} up`,
  ]);
  await ip(site.router, [
    `addr add ${far}/30 brd + dev wan`,
    "link set wan up",
    `route add default via ${near}`,
  ]);
  await limitRate(network.source, site.wanDevice, shape.wan, wanBurstBytes);
  await limitRate(site.router, "wan", shape.wan, wanBurstBytes);
  if (shape.nat) await translateAddresses(site.router, "wan");
  else await ip(network.source, [`route add ${site.cidr} via ${far}`]);
}

/** Takes a site's WAN link down. The router loses its default route, as with DHCP or PPPoE. */
export const cutWan = (site: LabSite): Promise<void> => ip(site.router, ["link set wan down"]);

/** Takes a site's WAN link up again. */
export const restoreWan = (site: LabSite): Promise<void> =>
  ip(site.router, [
    "link set wan up",
    `route add default via ${nearAddress(Number(site.wanDevice.slice(3)))}`,
  ]);

const nearAddress = (siteNumber: number): string => `172.31.${siteNumber}.1`;
const farAddress = (siteNumber: number): string => `172.31.${siteNumber}.2`;

/** Sets the congestion control of TCP from the source's host to a site: `cubic`, `reno`, `bbr`. */
export const controlCongestion = ({ source }: LabNetwork, site: LabSite, name: string): Promise<void> =>
  ip(source, [
    `route change ${site.cidr} via ${farAddress(Number(site.wanDevice.slice(3)))} congctl ${name}`,
  ]);

async function buildLan(site: LabSite, shape: LabShape): Promise<void> {
  await ip(site.router, [
    `link add lan type bridge ${needsSnooping(site) ? snoopingWords : "mcast_snooping 0"}`,
    `addr add ${gatewayOf(site)}/24 brd + dev lan`,
    "link set lan up",
  ]);
  for (const [at, device] of site.devices.entries()) {
    const { link } = device;
    const port = portOf(at);
    await addNamespace(device.namespace);
    await ip(site.router, [
      `link add ${port} mtu ${device.mtu} type veth peer name ${link} mtu ${device.mtu} netns ${device.namespace}`,
      `link set ${port} master lan`,
      `link set ${port} up`,
    ]);
    await ip(device.namespace, [
      `addr add ${device.address}/24 brd + dev ${link}`,
      `link set ${link} up`,
      `route add default via ${gatewayOf(site)}`,
      `route add 224.0.0.0/4 dev ${link}`,
    ]);
    await limitRate(site.router, port, shape.lan, lanBurstBytes);
    await limitRate(device.namespace, link, shape.lan, lanBurstBytes);
    // The bridge would let runs of datagrams pass that are longer than the MTU of a port.
    if (shape.cutRuns || shape.siteMtus) await cutRunsAt(site, at);
    if (shape.loss > 0) await loseAt(site, at, shape.loss);
  }
  await impair(site);
}

/**
 * Cuts runs of datagrams, and TCP's, at a device's switch port. By default a run reaches the device
 * whole, as through network cards that segment and merge.
 * @param at index of the device in its site
 */
export const cutRunsAt = (site: LabSite, at: number): Promise<void> =>
  ip(site.router, [`link set ${portOf(at)} gso_max_segs 1`]);

/** Reverses `cutRunsAt`. */
export const passRunsAt = (site: LabSite, at: number): Promise<void> =>
  ip(site.router, [`link set ${portOf(at)} gso_max_segs 65535`]);

/**
 * Makes a device lose a share of the arriving packets. Runs are cut before, so that single
 * datagrams are lost.
 */
export async function loseAt(site: LabSite, at: number, percent: number): Promise<void> {
  const { namespace, link } = site.devices[at]!;
  await cutRunsAt(site, at);
  await dropIngress(namespace, link, percent);
}

/** Builds the planned network. */
export async function buildNetwork(network: LabNetwork, shape: LabShape): Promise<void> {
  await addNamespace(network.source);
  await ip(network.source, [`addr add ${sourceAddress}/32 dev lo`]);
  for (const [index, site] of network.sites.entries()) {
    await addNamespace(site.router);
    await forwardPackets(site.router);
    await buildWan(network, site, index + 1, shape);
    await buildLan(site, shape);
  }
}

async function forwardPackets(namespace: string): Promise<void> {
  await outputOf([...inside(namespace), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
}

/**
 * Removes the namespaces of the network that exist, also while it is being built. The builder then
 * fails at its next command. The list is read again until it was empty twice, to find namespaces
 * that the builder created in the meantime.
 */
export async function removeNetwork(network: LabNetwork): Promise<void> {
  const names = new Set(namespacesOf(network));
  for (let emptyLooks = 0; emptyLooks < 2; emptyLooks++) {
    for (const name of await namespaces()) {
      if (!names.has(name)) continue;
      await removeNamespace(name);
      emptyLooks = -1;
    }
    await Bun.sleep(50);
  }
}
