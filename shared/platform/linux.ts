/**
 * The Linux implementation of platform.ts: reads /sys/class/net, /proc/net and DMI. A file that cannot be read counts as empty.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { bootUuidIn } from "./boot-session.ts";
import { machineUuidIn, systemIdIn, type MachineId } from "./machine-uuid.ts";
import type { DeviceClass, InterfaceTraits, KernelInterface, KernelNetwork, Link } from "./platform.ts";
import { processGroup } from "./process-group.ts";
import { bestGateway } from "./routes.ts";
import { readDrops } from "./udp-table.ts";

const interfacesFolder = "/sys/class/net";
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

export const kernelNetwork = async (): Promise<KernelNetwork> => ({
  interfaces: kernelInterfaces(interfacesFolder),
  gateways: defaultGateways(),
});

/** Reads a folder such as /sys/class/net, which may belong to another network namespace. */
export function kernelInterfaces(folder: string): Map<string, KernelInterface> {
  const interfaces = new Map<string, KernelInterface>();
  if (!existsSync(folder)) return interfaces;
  for (const name of readdirSync(folder)) {
    const base = `${folder}/${name}`;
    if (!existsSync(`${base}/ifindex`)) continue;
    interfaces.set(name, {
      traits: traitsOf(folder, name),
      link: linkOf(base),
      isPart: existsSync(`${base}/master`),
    });
  }
  return interfaces;
}

function traitsOf(folder: string, name: string): InterfaceTraits {
  const base = `${folder}/${name}`;
  return {
    type: Number(textOf(`${base}/type`)),
    kind: /^DEVTYPE=(.*)$/m.exec(textOf(`${base}/uevent`))?.[1] ?? "",
    isTunnel: existsSync(`${base}/tun_flags`),
    isWireless: existsSync(`${base}/wireless`) || existsSync(`${base}/phy80211`),
    hasHardware: hasHardware(folder, name),
  };
}

/** Follows ports of bridges, members of bonds, and the interface below a VLAN: "lower_NAME". */
function hasHardware(folder: string, name: string): boolean {
  const base = `${folder}/${name}`;
  if (existsSync(`${base}/device`)) return true;
  if (!existsSync(base)) return false;
  const lower = readdirSync(base).filter((entry) => entry.startsWith("lower_"));
  return lower.some((entry) => hasHardware(folder, entry.slice("lower_".length)));
}

function linkOf(base: string): Link {
  const isDown = /^(down|lowerlayerdown|notpresent|dormant)$/.test(textOf(`${base}/operstate`));
  return {
    isUp: textOf(`${base}/carrier`) !== "0" && !isDown,
    changes: Number(textOf(`${base}/carrier_changes`)),
  };
}

export const mtuOf = async (name: string): Promise<number | null> =>
  Number(textOf(`${interfacesFolder}/${name}/mtu`)) || null;
export const watchesMtu = true;

/** Returns the rows of a kernel table without its heading; none when it cannot be read. */
const tableOf = (path: string, separator: string | RegExp): string[][] =>
  textOf(path)
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(separator));

/** Reads an address of /proc/net/route: hex digits of the bytes in reverse. */
const addressIn = (hex: string): string =>
  [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".");

function defaultGateways(): Map<string, Set<string>> {
  const gateways = new Map<string, Set<string>>();
  for (const [name, destination, gateway] of tableOf("/proc/net/route", "\t")) {
    if (destination !== "00000000" || !gateway || gateway === "00000000") continue;
    gateways.set(name!, (gateways.get(name!) ?? new Set()).add(addressIn(gateway)));
  }
  return gateways;
}

export async function gatewayOf(interfaceName: string): Promise<string | null> {
  return bestGateway(
    tableOf("/proc/net/route", "\t").flatMap(([name, destination, gateway = "", ...more]) =>
      name === interfaceName && gateway !== "00000000"
        ? [{ gateway: addressIn(gateway), isDefault: destination === "00000000", metric: Number(more[3]) }]
        : [],
    ),
  );
}

export async function neighbourMac(interfaceName: string, neighbour: string): Promise<string | null> {
  const entry = tableOf("/proc/net/arp", /\s+/).find(
    (f) => f[5] === interfaceName && f[0] === neighbour && f[3] !== "00:00:00:00:00:00",
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
export { syncFileSystem } from "./file-system-sync.ts";
export const syncsFolders = true;
export const locksOpenFiles = false;
/** File systems of Linux store no gaps. */
export const setSparse = (_path: string): boolean => true;
export const clearSparse = async (_path: string, _hasGaps: boolean): Promise<void> => {};

export { conditions } from "./linux-conditions.ts";

export async function deviceClass(): Promise<DeviceClass> {
  const chassis = Number(textOf("/sys/class/dmi/id/chassis_type"));
  if (laptopChassis.has(chassis)) return "laptop";
  if (serverChassis.has(chassis)) return "server";
  return chassis > 2 ? "desktop" : "unknown";
}

/** Size of `sun_path` less the NUL. */
export const unixSocketPathBytes = 107;
export { accessProblem, isAdministrator, isPrivate, makePrivate } from "./posix-access.ts";

export const os = "linux";
export const bootId = async (): Promise<string | null> =>
  bootUuidIn(textOf("/proc/sys/kernel/random/boot_id"));
/** Only root reads the UUID of the firmware. D-Bus keeps the id where systemd does not run. */
export const machineId = async (): Promise<MachineId> => ({
  system: systemIdIn(textOf("/etc/machine-id")) || systemIdIn(textOf("/var/lib/dbus/machine-id")),
  firmware: machineUuidIn(textOf("/sys/class/dmi/id/product_uuid")),
});
export { startCommand, systemEnvironment } from "./posix-command.ts";
export const hasProcessGroups = true;
export const processTree = processGroup;

/** Fields of /proc/PID/stat after the program's name: state, and start in ticks since boot. */
const [stateField, startField] = [0, 19];

export async function processStart(pid: number): Promise<string | null> {
  const stat = textOf(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields.length <= startField || fields[stateField] === "Z") return null;
  return `${(await bootId()) ?? ""} ${fields[startField]}`;
}

export { runningPrograms, userIdleMs } from "./linux-activity.ts";
export const ignoresCase = false;

export { claimDisk, endMachine, listDisks } from "./linux-disks.ts";
export const browserCommand = (address: string): readonly string[] => ["xdg-open", address];

export { systemd as serviceManager } from "./systemd.ts";
export const connectToManager = null;
