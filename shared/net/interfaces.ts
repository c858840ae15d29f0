/**
 * The network interfaces of this device, as far as its roles depend on them: address, CIDR, medium, link, the
 * gateway's MAC (part of the subnet's identity), and which one leads to the source. What it chooses among them is in
 * `interface-choice.ts`.
 */
import dgram from "node:dgram";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { DeviceInterface } from "../control/schema.ts";
import { sameInterface, type NetInterface } from "./interface-choice.ts";
import { kernelInterfaces, mediumOf, readKernelTraits, readLink, wirelessPorts } from "./interface-medium.ts";

const gatewayWaitMs = 1_000;
const gatewayLookMs = 50;
/** "discard" (RFC 863): the datagram only makes the system look for the gateway's MAC. */
const discardPort = 9;

/** Interfaces with an IPv4 address; on Linux also those without one, whose `address` is empty. */
export function listInterfaces(): NetInterface[] {
  const found: NetInterface[] = [];
  const gateways = gatewayAddresses();
  const add = (
    label: string,
    entry: { address: string; cidr: string; mac: string; isLoopback: boolean },
  ): void => {
    // "eth0:1" is a second address of eth0.
    const name = label.replace(/:.*$/, "");
    const medium = mediumOf(name, entry.isLoopback, readKernelTraits(name));
    const link = readLink(name);
    found.push({
      name: name.slice(0, 64),
      address: entry.address,
      cidr: entry.cidr && networkOf(entry.cidr),
      mac: entry.mac,
      medium: medium === "wired" && isMacWireless(name) ? "wireless" : medium,
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
  for (const name of kernelInterfaces())
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

let macWireless: { names: string; ports: ReadonlySet<string> } | null = null;

function isMacWireless(name: string): boolean {
  if (process.platform !== "darwin") return false;
  const names = Object.keys(networkInterfaces()).join();
  // Asked once for every set of interfaces: it starts a process.
  if (macWireless?.names !== names)
    macWireless = { names, ports: new Set(wirelessPorts(run(["networksetup", "-listallhardwareports"]))) };
  return macWireless.ports.has(name);
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
    return process.platform === "linux" ? linuxGatewayMac(interfaceName) : otherGatewayMac();
  } catch {
    return null;
  }
}

/** Linux: default gateways by interface. Elsewhere the tables cost a process each time: none. */
function gatewayAddresses(): Map<string, Set<string>> {
  const gateways = new Map<string, Set<string>>();
  if (process.platform !== "linux") return gateways;
  for (const [name, destination, gateway] of tableOf("/proc/net/route", "\t")) {
    if (destination !== "00000000" || !gateway || gateway === "00000000") continue;
    const address = [6, 4, 2, 0].map((at) => Number.parseInt(gateway.slice(at, at + 2), 16)).join(".");
    gateways.set(name!, (gateways.get(name!) ?? new Set()).add(address));
  }
  return gateways;
}

/** Rows of a table of the kernel, without its heading; none when it cannot be read. */
function tableOf(path: string, separator: string | RegExp): string[][] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.split(separator));
  } catch {
    return [];
  }
}

function linuxGatewayMac(interfaceName: string): string | null {
  const gateways = gatewayAddresses().get(interfaceName) ?? new Set();
  const entry = tableOf("/proc/net/arp", /\s+/).find(
    (f) => f[5] === interfaceName && gateways.has(f[0]!) && f[3] !== "00:00:00:00:00:00",
  );
  return entry?.[3]?.toLowerCase() ?? null;
}

/**
 * Linux: makes the system find out the MAC of the interface's gateway, which it knows only after something was sent
 * there. Without it a device that just came to a subnet would be taken to be on another one.
 */
export async function learnGateway({ name, address }: NetInterface): Promise<void> {
  const [gateway] = gatewayAddresses().get(name) ?? [];
  if (gateway === undefined || linuxGatewayMac(name) !== null) return;
  const socket = dgram.createSocket("udp4");
  socket.on("error", () => {});
  try {
    await new Promise<void>((resolve) => {
      socket.once("error", () => resolve());
      socket.bind(0, address, () => socket.send(new Uint8Array(1), discardPort, gateway, () => resolve()));
    });
    const giveUpAtMs = performance.now() + gatewayWaitMs;
    while (linuxGatewayMac(name) === null && performance.now() < giveUpAtMs) await Bun.sleep(gatewayLookMs);
  } finally {
    socket.close();
  }
}

const run = (command: string[]): string =>
  Bun.spawnSync(command, { stdout: "pipe", stderr: "ignore" }).stdout.toString();

/** macOS and Windows: the default route's next hop, looked up in the neighbour table. */
function otherGatewayMac(): string | null {
  const isWindows = process.platform === "win32";
  const route = isWindows ? run(["route", "print", "-4", "0.0.0.0"]) : run(["route", "-n", "get", "default"]);
  const gateway = isWindows
    ? /0\.0\.0\.0\s+0\.0\.0\.0\s+(\d+\.\d+\.\d+\.\d+)/.exec(route)?.[1]
    : /gateway:\s*(\d+\.\d+\.\d+\.\d+)/.exec(route)?.[1];
  if (!gateway) return null;
  const neighbours = isWindows ? run(["arp", "-a", gateway]) : run(["arp", "-n", gateway]);
  const mac = /([0-9a-f]{1,2}(?:[:-][0-9a-f]{1,2}){5})/i.exec(neighbours)?.[1];
  return mac
    ? mac
        .split(/[:-]/)
        .map((octet) => octet.padStart(2, "0").toLowerCase())
        .join(":")
    : null;
}
