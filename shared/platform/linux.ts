/**
 * The Linux implementation of platform.ts: reads /sys/class/net, /proc/net, /sys/class/power_supply
 * and DMI. A file that cannot be read counts as empty.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { DeviceClass, InterfaceTraits, Link } from "./platform.ts";
import { signalGroup, isGroupRunning } from "./process-group.ts";
import { readDrops } from "./udp-table.ts";

const interfacesFolder = "/sys/class/net";
const powerSupplies = "/sys/class/power_supply";
/** DMI chassis types of machines with a battery, and below of servers (SMBIOS 3.7, table 17). */
const laptopChassis = new Set([8, 9, 10, 11, 14, 30, 31, 32]);
const serverChassis = new Set([17, 23, 25, 28, 29]);

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    // The file does not exist, or the read returns EINVAL because the interface is down.
    return "";
  }
};

/** Returns null also when /sys belongs to another network namespace. */
export function interfaceTraits(name: string): InterfaceTraits | null {
  const base = `${interfacesFolder}/${name}`;
  if (!existsSync(base)) return null;
  return {
    type: Number(textOf(`${base}/type`)),
    kind: /^DEVTYPE=(.*)$/m.exec(textOf(`${base}/uevent`))?.[1] ?? "",
    isTunnel: existsSync(`${base}/tun_flags`),
    isWireless: existsSync(`${base}/wireless`) || existsSync(`${base}/phy80211`),
    hasHardware:
      existsSync(`${base}/device`) ||
      portsOf(base).some((port) => existsSync(`${interfacesFolder}/${port}/device`)),
  };
}

const portsOf = (base: string): string[] => (existsSync(`${base}/brif`) ? readdirSync(`${base}/brif`) : []);

export function kernelInterfaces(): string[] {
  if (!existsSync(interfacesFolder)) return [];
  const isOne = (name: string): boolean =>
    existsSync(`${interfacesFolder}/${name}/ifindex`) && !existsSync(`${interfacesFolder}/${name}/master`);
  return readdirSync(interfacesFolder).filter(isOne);
}

export function linkOf(name: string): Link {
  const base = `${interfacesFolder}/${name}`;
  if (!existsSync(base)) return { isUp: true, changes: 0 };
  const isDown = /^(down|lowerlayerdown|notpresent|dormant)$/.test(textOf(`${base}/operstate`));
  return {
    isUp: textOf(`${base}/carrier`) !== "0" && !isDown,
    changes: Number(textOf(`${base}/carrier_changes`)),
  };
}

export const isWireless = (_name: string): boolean => false;

/** Returns the rows of a kernel table without its heading; none when it cannot be read. */
const tableOf = (path: string, separator: string | RegExp): string[][] =>
  textOf(path)
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(separator));

export function defaultGateways(): Map<string, Set<string>> {
  const gateways = new Map<string, Set<string>>();
  for (const [name, destination, gateway] of tableOf("/proc/net/route", "\t")) {
    if (destination !== "00000000" || !gateway || gateway === "00000000") continue;
    const address = [6, 4, 2, 0].map((at) => Number.parseInt(gateway.slice(at, at + 2), 16)).join(".");
    gateways.set(name!, (gateways.get(name!) ?? new Set()).add(address));
  }
  return gateways;
}

export function gatewayMac(interfaceName: string): string | null {
  const gateways = defaultGateways().get(interfaceName) ?? new Set();
  const entry = tableOf("/proc/net/arp", /\s+/).find(
    (f) => f[5] === interfaceName && gateways.has(f[0]!) && f[3] !== "00:00:00:00:00:00",
  );
  return entry?.[3]?.toLowerCase() ?? null;
}

/** Binding to the group keeps datagrams of other groups on the same port away from the socket. */
export const groupBindAddress = (group: string): string => group;

/** Names of glibc and musl, for the two architectures whose ABI `net/lan/libc.ts` implements. */
export const libraryNames: readonly string[] =
  process.arch === "x64" || process.arch === "arm64"
    ? ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"]
    : [];

/**
 * Linux reports twice the usable size. The other half is for its bookkeeping (socket(7),
 * SO_RCVBUF).
 */
export const receiveBufferBytes = (reported: number): number => Math.floor(reported / 2);

export const raiseReceiveBuffer = (bytes: number): string => `sysctl -w net.core.rmem_max=${bytes}`;

export const kernelDrops = (port: number): number | null => readDrops(port);

export const hasDirectIo = true;
export const syncsFolders = true;

export function onBattery(): boolean {
  if (!existsSync(powerSupplies)) return false;
  return readdirSync(powerSupplies).some(
    (supply) =>
      textOf(`${powerSupplies}/${supply}/type`) === "Battery" &&
      textOf(`${powerSupplies}/${supply}/status`) === "Discharging",
  );
}

export function deviceClass(): DeviceClass {
  const chassis = Number(textOf("/sys/class/dmi/id/chassis_type"));
  if (laptopChassis.has(chassis)) return "laptop";
  if (serverChassis.has(chassis)) return "server";
  return chassis > 2 ? "desktop" : "unknown";
}

export const shell = (command: string): string[] => ["/bin/sh", "-c", command];
export const hasProcessGroups = true;
export const signalTree = signalGroup;
export const isTreeRunning = isGroupRunning;
