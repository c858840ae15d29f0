/**
 * The network interfaces of this device, as far as its roles depend on them: address, CIDR, medium, link, the
 * gateway's MAC (part of the subnet's identity), and which one leads to the source. What it chooses among them is in
 * `choice.ts`.
 */
import dgram from "node:dgram";
import { networkInterfaces } from "node:os";
import { sameInterface } from "./choice.ts";
import { type DeviceInterface, type NetInterface } from "../../model/interface.ts";
import { platform } from "../../platform/index.ts";
import { mediumOf } from "./medium.ts";

const gatewayWaitMs = 1_000;
const gatewayLookMs = 50;
/** "discard" (RFC 863): the datagram only makes the system look for the gateway's MAC. */
const discardPort = 9;

/** Interfaces with an IPv4 address; on Linux also those without one, whose `address` is empty. */
export function listInterfaces(): NetInterface[] {
  const found: NetInterface[] = [];
  const gateways = platform.defaultGateways();
  const add = (
    label: string,
    entry: { address: string; cidr: string; mac: string; isLoopback: boolean },
  ): void => {
    // "eth0:1" is a second address of eth0.
    const name = label.replace(/:.*$/, "");
    const medium = mediumOf(name, entry.isLoopback, platform.interfaceTraits(name));
    const link = platform.linkOf(name);
    found.push({
      name: name.slice(0, 64),
      address: entry.address,
      cidr: entry.cidr && networkOf(entry.cidr),
      mac: entry.mac,
      medium: medium === "wired" && platform.isWireless(name) ? "wireless" : medium,
      // The system calls a tunnel's state unknown, and lists nothing that is switched off.
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
  for (const name of platform.kernelInterfaces())
    if (name !== "lo" && !listed.has(name)) add(name, { address: "", cidr: "", mac: "", isLoopback: false });
  return found;
}

/** What the source is told; `active` is the interface that the device plays its roles on. */
export function describeInterfaces(
  interfaces: readonly NetInterface[],
  active: NetInterface | null,
  group: string,
): DeviceInterface[] {
  return interfaces
    .filter(({ address }) => address !== "")
    .map((one) => {
      const isActive = active !== null && sameInterface(one, active);
      const { name, address, cidr, mac, medium } = one;
      const gateway = isActive ? gatewayMac(name) : null;
      return {
        name,
        address,
        cidr,
        mac,
        medium,
        gatewayMac: gateway,
        group: isActive ? group : "",
        active: isActive,
      };
    });
}

/** "10.0.0.7/24" → "10.0.0.0/24" */
export function networkOf(cidr: string): string {
  const [address, bits] = cidr.split("/") as [string, string];
  const mask = bits === "0" ? 0 : (0xffff_ffff << (32 - Number(bits))) >>> 0;
  const value = address.split(".").reduce((sum, octet) => ((sum << 8) | Number(octet)) >>> 0, 0);
  const network = (value & mask) >>> 0;
  return `${[24, 16, 8, 0].map((shift) => (network >>> shift) & 255).join(".")}/${bits}`;
}

/**
 * The address of the interface that the system would use towards a host: connects a UDP socket, which sends nothing.
 * Null when there is no route.
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
    // Called when it failed, too: the socket is then bound to no address.
    const onConnect = (error?: Error): void => {
      const address = error ? null : socket.address().address;
      done(address === "0.0.0.0" ? null : address);
    };
    socket.connect(port, host, onConnect);
  });
}

/** MAC of the default gateway of an interface, from the system's tables; null when it cannot be told. */
export function gatewayMac(interfaceName: string): string | null {
  try {
    return platform.gatewayMac(interfaceName);
  } catch {
    return null;
  }
}

/**
 * Linux: makes the system find out the MAC of the interface's gateway, which it knows only after something was sent
 * there. Without it a device that just came to a subnet would be taken to be on another one.
 */
export async function learnGateway({ name, address }: NetInterface): Promise<void> {
  const [gateway] = platform.defaultGateways().get(name) ?? [];
  if (gateway === undefined || gatewayMac(name) !== null) return;
  const socket = dgram.createSocket("udp4");
  socket.on("error", () => {});
  try {
    await new Promise<void>((resolve) => {
      socket.once("error", () => resolve());
      socket.bind(0, address, () => socket.send(new Uint8Array(1), discardPort, gateway, () => resolve()));
    });
    const giveUpAtMs = performance.now() + gatewayWaitMs;
    while (gatewayMac(name) === null && performance.now() < giveUpAtMs) await Bun.sleep(gatewayLookMs);
  } finally {
    socket.close();
  }
}
