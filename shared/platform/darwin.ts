/** macOS: what route, arp, networksetup, pmset and sysctl report. */
import { networkInterfaces } from "node:os";
import type { DeviceClass, InterfaceTraits, Link } from "./platform.ts";
import { endGroup, isGroupAlive } from "./process-group.ts";
import { macIn, outputOf } from "./run-program.ts";

export const interfaceTraits = (_name: string): InterfaceTraits | null => null;
export const kernelInterfaces = (): string[] => [];
export const linkOf = (_name: string): Link => ({ isUp: true, changes: 0 });

let wireless: { names: string; ports: ReadonlySet<string> } | null = null;

/** macOS calls Wi-Fi "en0" as well. */
export function isWireless(name: string): boolean {
  const names = Object.keys(networkInterfaces()).join();
  // Asked once for every set of interfaces: it starts a process.
  if (wireless?.names !== names)
    wireless = { names, ports: new Set(wirelessPorts(outputOf(["networksetup", "-listallhardwareports"]))) };
  return wireless.ports.has(name);
}

/** Names of Wi-Fi devices in the output of `networksetup -listallhardwareports`. */
export function wirelessPorts(listing: string): string[] {
  return [...listing.matchAll(/^Hardware Port: (?:Wi-Fi|AirPort)\s*\nDevice: (\S+)/gm)].map(
    (match) => match[1]!,
  );
}

export const defaultGateways = (): Map<string, Set<string>> => new Map();

/** The default route's next hop, looked up in the neighbour table. */
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
export const signalTree = endGroup;
export const isTreeAlive = isGroupAlive;
