/**
 * The macOS implementation of platform.ts: reads the output of networksetup, netstat, arp, pmset,
 * sysctl, ps and ioreg. These programs print one language, whatever the user's is.
 */
import { stat } from "node:fs/promises";
import type { SystemConditions } from "../model/conditions.ts";
import { bootUuidIn } from "./boot-session.ts";
import { powerListing, readConditions } from "./darwin-conditions.ts";
import { platformUuidIn, type MachineId } from "./machine-uuid.ts";
import { cachedNetwork } from "./network-cache.ts";
import type { DeviceClass, KernelInterface, KernelNetwork } from "./platform.ts";
import { processGroup } from "./process-group.ts";
import { gatewayInNetstat } from "./routes.ts";
import { macIn, outputOf } from "./run-program.ts";

/** Two programs are started for each answer. */
const networkAgeMs = 10_000;

export const kernelNetwork = cachedNetwork(networkAgeMs, readNetwork);

const routeListing = (): Promise<string> => outputOf(["/usr/sbin/netstat", "-rn", "-f", "inet"]);

async function readNetwork(): Promise<KernelNetwork> {
  const [ports, routes] = await Promise.all([
    outputOf(["/usr/sbin/networksetup", "-listallhardwareports"]),
    routeListing(),
  ]);
  return { interfaces: hardwarePorts(ports), gateways: gatewaysIn(routes) };
}

/**
 * Returns the interfaces of `networksetup -listallhardwareports`. Interfaces of software, such as
 * "utun3", are not listed there: their names tell what they are.
 */
export function hardwarePorts(listing: string): Map<string, KernelInterface> {
  const ports = new Map<string, KernelInterface>();
  for (const [, port, name] of listing.matchAll(/^Hardware Port: (.*)\nDevice: (\S+)/gm)) {
    // A bridge of Thunderbolt ports, and Bluetooth, belong to no LAN.
    if (/bridge|bluetooth/i.test(port!)) continue;
    const traits = {
      type: 1,
      // A telephone is a way to the mobile network.
      kind: /^(iphone|ipad)/i.test(port!) ? "wwan" : "",
      isTunnel: false,
      isWireless: /^(wi-?fi|airport)/i.test(port!),
      hasHardware: true,
    };
    ports.set(name!, { traits, link: { isUp: true, changes: 0 }, isPart: true });
  }
  return ports;
}

/** Returns the default gateways of `netstat -rn -f inet`, without routes that have no address. */
export function gatewaysIn(routes: string): Map<string, Set<string>> {
  const gateways = new Map<string, Set<string>>();
  for (const [, gateway, name] of routes.matchAll(/^default\s+(\d+(?:\.\d+){3})\s+\S+\s+(\S+)/gm))
    gateways.set(name!, (gateways.get(name!) ?? new Set()).add(gateway!));
  return gateways;
}

export const gatewayOf = async (interfaceName: string): Promise<string | null> =>
  gatewayInNetstat(await routeListing(), interfaceName);

export const neighbourMac = async (interfaceName: string, neighbour: string): Promise<string | null> =>
  macIn(await outputOf(["/usr/sbin/arp", "-n", "-i", interfaceName, neighbour]));

/** Reads the first line of `ifconfig NAME`, which ends with "mtu 1500". */
export const mtuOf = async (name: string): Promise<number | null> =>
  Number(/\bmtu (\d+)/.exec(await outputOf(["/sbin/ifconfig", name]))?.[1]) || null;
export const watchesMtu = false;

export const groupBindAddress = (group: string): string => group;
export const libraryNames: readonly string[] = [];
export const receiveBufferBytes = (reported: number): number => reported;
export const raiseReceiveBuffer = (bytes: number): string => `sysctl -w kern.ipc.maxsockbuf=${bytes * 2}`;
export const kernelDrops = (_port: number): number | null => null;

export const hasDirectIo = false;
export const syncFileSystem = async (_path: string): Promise<boolean> => false;
export const syncsFolders = true;
export const locksOpenFiles = false;
/** APFS stores no gaps. */
export const setSparse = (_path: string): boolean => true;
export const clearSparse = async (_path: string, _hasGaps: boolean): Promise<void> => {};

export const conditions = (interfaceName: string | null): Promise<SystemConditions> =>
  readConditions(interfaceName, userIdleMs);

/**
 * Laptops since 2022 are not named "Book" ("Mac14,2"), but have an internal battery. A laptop whose
 * battery was removed still has the name.
 */
export function classOf(powerSources: string, model: string): DeviceClass {
  if (powerSources.includes("-InternalBattery") || model.includes("Book")) return "laptop";
  if (model.startsWith("Xserve")) return "server";
  return model === "" ? "unknown" : "desktop";
}

let ownClass: Promise<DeviceClass> | null = null;

export function deviceClass(): Promise<DeviceClass> {
  ownClass ??= Promise.all([powerListing(), outputOf(["/usr/sbin/sysctl", "-n", "hw.model"])]).then(
    ([sources, model]) => classOf(sources, model.trim()),
  );
  return ownClass;
}

/** Size of `sun_path` less the NUL. */
export const unixSocketPathBytes = 103;
export { accessProblem, isAdministrator, isPrivate, makePrivate } from "./posix-access.ts";

export const os = "macos";
export const bootId = async (): Promise<string | null> =>
  bootUuidIn(await outputOf(["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]));
/** The UUID of the hardware is the only id that macOS tells. */
export const machineId = async (): Promise<MachineId> => ({
  system: platformUuidIn(await outputOf(["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"])),
  firmware: "",
});
export { startCommand, systemEnvironment } from "./posix-command.ts";
export const hasProcessGroups = true;
export const processTree = processGroup;

export async function processStart(pid: number): Promise<string | null> {
  const line = (await outputOf(["ps", "-o", "stat=,lstart=", "-p", String(pid)])).trim();
  return line === "" || line.startsWith("Z") ? null : line.replace(/^\S+\s+/, "");
}

/** Returns the names in the output of `ps -axco comm`, below its heading. */
export const programsIn = (listing: string): string[] => [
  ...new Set(
    listing
      .split("\n")
      .slice(1)
      .map((line) => line.trim())
      .filter((name) => name !== ""),
  ),
];

export const runningPrograms = async (): Promise<string[]> =>
  programsIn(await outputOf(["/bin/ps", "-axco", "comm"]));
export const ignoresCase = true;

/** Returns the idle time in the output of `ioreg` in milliseconds; 0 if there is none. */
export const idleMsIn = (listing: string): number =>
  Number(/"HIDIdleTime" = (\d+)/.exec(listing)?.[1] ?? 0) / 1_000_000;

/** The console belongs to root while nobody is logged on there. */
const rootUser = 0;

export async function userIdleMs(): Promise<number | null> {
  const console = await stat("/dev/console").catch(() => null);
  if (console === null || console.uid === rootUser) return null;
  return idleMsIn(await outputOf(["/usr/sbin/ioreg", "-r", "-d", "1", "-c", "IOHIDSystem"]));
}

export { claimDisk, endMachine, listDisks } from "./no-disks.ts";
export const browserCommand = (address: string): readonly string[] => ["/usr/bin/open", address];

export { launchd as serviceManager } from "./launchd.ts";
export const connectToManager = null;
