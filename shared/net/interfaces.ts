/**
 * The network interfaces of this device, as far as its roles depend on them: address, CIDR, medium, the gateway's
 * MAC (part of the subnet's identity), and which one leads to the source.
 */
import dgram from "node:dgram";
import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { DeviceInterface } from "../control/schema.ts";

type Medium = DeviceInterface["medium"];

const vpnNames = /^(tun|tap|utun|ppp|wg|tailscale|zt|ipsec|vpn|cscotun|gpd)/i;
const virtualNames = /^(docker|br-|virbr|vmnet|vboxnet|veth(?!0$)|vEthernet|awdl|llw|bridge)/i;
const wirelessNames = /^(wl|wifi|wi-fi|ath|ra\d)/i;

function mediumOf(name: string, isInternal: boolean): Medium {
  if (isInternal) return "loopback";
  if (vpnNames.test(name)) return "vpn";
  if (virtualNames.test(name)) return "virtual";
  if (wirelessNames.test(name) || existsSync(`/sys/class/net/${name}/wireless`)) return "wireless";
  return /^(eth|en|em|Ethernet|lan)/i.test(name) ? "wired" : "unknown";
}

/** IPv4 interfaces; `activeAddress` marks the one that the device plays its roles on. */
export function listInterfaces(activeAddress: string | null, group: string): DeviceInterface[] {
  const found: DeviceInterface[] = [];
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    for (const entry of entries ?? []) {
      if (entry.family !== "IPv4" || !entry.cidr) continue;
      const active = entry.address === activeAddress;
      found.push({
        name: name.slice(0, 64),
        address: entry.address,
        cidr: networkOf(entry.cidr),
        mac: entry.mac,
        medium: mediumOf(name, entry.internal),
        gatewayMac: active ? gatewayMac(name) : null,
        group: active ? group : "",
        active,
      });
    }
  }
  return found;
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

function linuxGatewayMac(interfaceName: string): string | null {
  const routes = readFileSync("/proc/net/route", "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))
    .filter((f) => f[0] === interfaceName && f[1] === "00000000" && f[2] !== "00000000");
  const gateways = new Set(
    routes.map((f) => [6, 4, 2, 0].map((at) => Number.parseInt(f[2]!.slice(at, at + 2), 16)).join(".")),
  );
  const neighbours = readFileSync("/proc/net/arp", "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.split(/\s+/));
  const entry = neighbours.find(
    (f) => f[5] === interfaceName && gateways.has(f[0]!) && f[3] !== "00:00:00:00:00:00",
  );
  return entry?.[3]?.toLowerCase() ?? null;
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
