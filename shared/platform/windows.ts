/** The Windows implementation of platform.ts: runs route, arp, PowerShell and taskkill. */
import type { DeviceClass, InterfaceTraits, Link } from "./platform.ts";
import { macIn, outputOf } from "./run-program.ts";

export const interfaceTraits = (_name: string): InterfaceTraits | null => null;
export const kernelInterfaces = (): string[] => [];
export const linkOf = (_name: string): Link => ({ isUp: true, changes: 0 });
export const isWireless = (_name: string): boolean => false;
export const defaultGateways = (): Map<string, Set<string>> => new Map();

/** Looks up the default route's next hop in the neighbour table. */
export function gatewayMac(_interfaceName: string): string | null {
  const route = outputOf(["route", "print", "-4", "0.0.0.0"]);
  const gateway = /0\.0\.0\.0\s+0\.0\.0\.0\s+(\d+\.\d+\.\d+\.\d+)/.exec(route)?.[1];
  return gateway === undefined ? null : macIn(outputOf(["arp", "-a", gateway]));
}

/** Windows cannot bind a socket to a multicast address. */
export const groupBindAddress = (_group: string): undefined => undefined;
export const libraryNames: readonly string[] = [];
export const receiveBufferBytes = (reported: number): number => reported;
export const raiseReceiveBuffer = (_bytes: number): null => null;
export const kernelDrops = (_port: number): number | null => null;

export const hasDirectIo = false;
/** Windows has no call that syncs a folder, and needs none. */
export const syncsFolders = false;

const query = (expression: string): string =>
  outputOf(["powershell", "-NoProfile", "-Command", expression]).trim();

export const onBattery = (): boolean => query("(Get-CimInstance Win32_Battery).BatteryStatus") === "1";
/** ProductType: 1 workstation, 2 domain controller, 3 server; "" if the query failed. */
export function deviceClass(): DeviceClass {
  const productType = query("(Get-CimInstance Win32_OperatingSystem).ProductType");
  if (productType === "") return "unknown";
  return productType === "1" ? "desktop" : "server";
}

export const shell = (command: string): string[] => ["cmd.exe", "/d", "/s", "/c", command];
export const hasProcessGroups = false;

export function signalTree(pid: number, _signal: NodeJS.Signals): void {
  try {
    Bun.spawnSync(["taskkill", "/pid", String(pid), "/t", "/f"]);
  } catch {
    // taskkill cannot be started. A process that has exited only gives a non-zero status.
  }
}

export const isTreeRunning = (_pid: number): null => null;
