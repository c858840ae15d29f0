/**
 * Lists the network interfaces of this device: address, CIDR, medium, link and default gateway. It
 * also finds the interface towards the source.
 *
 * `choice.ts` chooses among the interfaces, and `gateway.ts` finds the gateway's MAC.
 */
import dgram from "node:dgram";
import { networkInterfaces } from "node:os";
import { sameInterface } from "./choice.ts";
import { type DeviceInterface, type NetInterface } from "../../model/interface.ts";
import { platform, type KernelInterface } from "../../platform/index.ts";
import { mediumOf } from "./medium.ts";

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
 * @param gatewayMac of the active interface; null if it is not known
 */
export function describeInterfaces(
  interfaces: readonly NetInterface[],
  active: NetInterface | null,
  group: string,
  gatewayMac: string | null,
): DeviceInterface[] {
  const isOwn = (one: NetInterface): boolean => active !== null && sameInterface(one, active);
  // The source derives the subnet from the active interface: it comes first, and is never left out.
  const withAddress = interfaces.filter(({ address }) => address !== "");
  const ordered = [...withAddress.filter(isOwn), ...withAddress.filter((one) => !isOwn(one))];
  return ordered.slice(0, describedMax).map((one) => {
    const isActive = isOwn(one);
    const { name, address, cidr, mac, medium } = one;
    return {
      name,
      address,
      cidr,
      mac,
      medium,
      gatewayMac: isActive ? gatewayMac : null,
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
