/** The macOS implementation of platform.ts: reads route, arp, networksetup, pmset and sysctl. */
import { networkInterfaces } from "node:os";
import type { DeviceClass, InterfaceTraits, Link } from "./platform.ts";
import { signalGroup, isGroupRunning } from "./process-group.ts";
import { macIn, outputOf } from "./run-program.ts";

export const interfaceTraits = (_name: string): InterfaceTraits | null => null;
export const kernelInterfaces = (): string[] => [];
export const linkOf = (_name: string): Link => ({ isUp: true, changes: 0 });

let wireless: { names: string; ports: ReadonlySet<string> } | null = null;

/** Asks networksetup, because names such as "en0" do not tell Wi-Fi from Ethernet. */
export function isWireless(name: string): boolean {
  const names = Object.keys(networkInterfaces()).join();
  // The answer is cached per set of interfaces, because asking starts a process.
  if (wireless?.names !== names)
    wireless = { names, ports: new Set(wirelessPorts(outputOf(["networksetup", "-listallhardwareports"]))) };
  return wireless.ports.has(name);
}

/** Returns the Wi-Fi devices in the output of `networksetup -listallhardwareports`. */
export function wirelessPorts(listing: string): string[] {
  return [...listing.matchAll(/^Hardware Port: (?:Wi-Fi|AirPort)\s*\nDevice: (\S+)/gm)].map(
    (match) => match[1]!,
  );
}

export const defaultGateways = (): Map<string, Set<string>> => new Map();

/** Looks up the default route's next hop in the neighbour table. */
export function gatewayMac(_interfaceName: string): string | null {
  const gateway = /gateway:\s*(\d+\.\d+\.\d+\.\d+)/.exec(outputOf(["route", "-n", "get", "default"]))?.[1];
  return gateway === undefined ? null : macIn(outputOf(["arp", "-n", gateway]));
}

export const groupBindAddress = (group: string): string => group;
export const libraryNames: readonly string[] = [];
export const receiveBufferBytes = (reported: number): number => reported;
export const raiseReceiveBuffer = (bytes: number): string => `sysctl -w kern.ipc.maxsockbuf=${bytes * 2}`;
export const kernelDrops = (_port: number): number | null => null;

export const hasDirectIo = false;
export const syncsFolders = true;

export const onBattery = (): boolean => outputOf(["pmset", "-g", "batt"]).includes("Battery Power");
export const deviceClass = (): DeviceClass =>
  outputOf(["sysctl", "-n", "hw.model"]).includes("Book") ? "laptop" : "desktop";

export const shell = (command: string): string[] => ["/bin/sh", "-c", command];
export const hasProcessGroups = true;
export const signalTree = signalGroup;
export const isTreeRunning = isGroupRunning;
