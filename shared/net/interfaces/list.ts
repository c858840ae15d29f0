/**
 * Lists the network interfaces of this device: address, CIDR, medium, link and default gateway. It
 * also finds the gateway's MAC (part of the subnet's identity) and the interface towards the
 * source.
 *
 * `choice.ts` chooses among the interfaces.
 */
import dgram from "node:dgram";
import { networkInterfaces } from "node:os";
import { sameInterface } from "./choice.ts";
import { type DeviceInterface, type NetInterface } from "../../model/interface.ts";
import { platform, type KernelInterface } from "../../platform/index.ts";
import { mediumOf } from "./medium.ts";

/** Upper bound on the wait for the gateway's ARP answer. */
const gatewayWaitMs = 1_000;
const gatewayLookMs = 50;
/** Discard port (RFC 863), for a datagram that makes the system resolve the gateway's MAC. */
const discardPort = 9;

/**
 * Returns one entry per IPv4 address. On Linux and Windows it also returns interfaces without one,
 * whose `address` is empty.
 */
export async function listInterfaces(): Promise<NetInterface[]> {
  const found: NetInterface[] = [];
  const { interfaces, gateways } = await platform.kernelNetwork();
  const add = (
    label: string,
    entry: { address: string; cidr: string; mac: string; isLoopback: boolean },
  ): void => {
    // "eth0:1" labels a second address of eth0.
    const name = label.replace(/:.*$/, "");
    const { traits, link } = interfaces.get(name) ?? unlisted;
    found.push({
      name: name.slice(0, 64),
      address: entry.address,
      cidr: entry.cidr && networkOf(entry.cidr),
      mac: entry.mac,
      medium: mediumOf(name, entry.isLoopback, traits),
      // The operstate of a tunnel is "unknown", which `linkOf` counts as up.
      hasLink: entry.isLoopback || link.isUp,
      linkChanges: link.changes,
      hasGateway: gateways.has(name),
    });
  };
  for (const [label, entries] of Object.entries(networkInterfaces())) {
    for (const { family, address, cidr, mac, internal } of entries ?? [])
      if (family === "IPv4" && cidr) add(label, { address, cidr, mac, isLoopback: internal });
  }
  const listed = new Set(found.map(({ name }) => name));
  for (const [name, { isPart }] of interfaces) {
    if (name === "lo" || isPart || listed.has(name)) continue;
    add(name, { address: "", cidr: "", mac: "", isLoopback: false });
  }
  return found;
}

/** An interface that the kernel does not list; /sys may belong to another network namespace. */
const unlisted: KernelInterface = { traits: null, link: { isUp: true, changes: 0 }, isPart: false };

/** Interfaces of an inventory (shared/api/schema). Hosts of containers have hundreds. */
const describedMax = 64;

/**
 * Returns at most 64 interfaces with an address in the form of the inventory, the active one first.
 * @param active the interface that the device uses for the LAN
 * @param group "ADDRESS:PORT" if the multicast group was set with `--group`, otherwise empty
 */
export async function describeInterfaces(
  interfaces: readonly NetInterface[],
  active: NetInterface | null,
  group: string,
): Promise<DeviceInterface[]> {
  const isOwn = (one: NetInterface): boolean => active !== null && sameInterface(one, active);
  // The source derives the subnet from the active interface: it comes first, and is never left out.
  const withAddress = interfaces.filter(({ address }) => address !== "");
  const ordered = [...withAddress.filter(isOwn), ...withAddress.filter((one) => !isOwn(one))];
  const gateway = active === null ? null : await platform.gatewayMac(active.name);
  return ordered.slice(0, describedMax).map((one) => {
    const isActive = isOwn(one);
    const { name, address, cidr, mac, medium } = one;
    return {
      name,
      address,
      cidr,
      mac,
      medium,
      gatewayMac: isActive ? gateway : null,
      group: isActive ? group : "",
      active: isActive,
    };
  });
}

/** Clears the host bits of an IPv4 CIDR: "10.0.0.7/24" becomes "10.0.0.0/24". */
export function networkOf(cidr: string): string {
  const [address, bits] = cidr.split("/") as [string, string];
  const mask = bits === "0" ? 0 : (0xffff_ffff << (32 - Number(bits))) >>> 0;
  const value = address.split(".").reduce((sum, octet) => ((sum << 8) | Number(octet)) >>> 0, 0);
  const network = (value & mask) >>> 0;
  return `${[24, 16, 8, 0].map((shift) => (network >>> shift) & 255).join(".")}/${bits}`;
}

/**
 * Returns the local IPv4 address that the system would use towards a host; null without a route. It
 * connects a UDP socket, which sends no datagram.
 */
export function addressTowards(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket("udp4");
    let isDone = false;
    const done = (address: string | null): void => {
      if (!isDone) socket.close();
      isDone = true;
      resolve(address);
    };
    socket.on("error", () => done(null));
    // Bun also calls this after a failure; the socket is then bound to no address.
    const onConnect = (error?: Error): void => {
      const address = error ? null : socket.address().address;
      done(address === "0.0.0.0" ? null : address);
    };
    socket.connect(port, host, onConnect);
  });
}

/**
 * Makes the system resolve the MAC of the interface's gateway, which is known only after a datagram
 * was sent to the gateway. Without the MAC, a device that has just joined a subnet would be
 * assigned to another subnet.
 */
export async function learnGateway({ name, address }: NetInterface): Promise<void> {
  const [gateway] = (await platform.kernelNetwork()).gateways.get(name) ?? [];
  if (gateway === undefined || (await platform.gatewayMac(name)) !== null) return;
  const socket = dgram.createSocket("udp4");
  socket.on("error", () => {});
  try {
    await new Promise<void>((resolve) => {
      socket.once("error", () => resolve());
      socket.bind(0, address, () => socket.send(new Uint8Array(1), discardPort, gateway, () => resolve()));
    });
    const giveUpAtMs = performance.now() + gatewayWaitMs;
    while ((await platform.gatewayMac(name)) === null && performance.now() < giveUpAtMs)
      await Bun.sleep(gatewayLookMs);
  } finally {
    socket.close();
  }
}
