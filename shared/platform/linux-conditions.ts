/**
 * Conditions of a Linux machine: power supplies of sysfs, pressure stall information, memory, and
 * whether NetworkManager, systemd-networkd or the kind of the interface tells of a metered network.
 * The functions that parse are pure. A file that cannot be read counts as empty.
 */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { percentOf, unknownPower, type Power, type SystemConditions } from "../model/conditions.ts";
import { userIdleMs } from "./linux-activity.ts";
import { outputOf } from "./run-program.ts";

const suppliesFolder = "/sys/class/power_supply";
const interfacesFolder = "/sys/class/net";
const leasesFolder = "/run/systemd/netif/leases";
const networkManagerFolder = "/run/NetworkManager";

const textOf = (path: string): Promise<string> =>
  readFile(path, "utf8").then(
    (text) => text.trim(),
    () => "",
  );
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

/** Files of one power supply, such as `type` and `status`; a missing file is empty. */
const supplyFiles = ["type", "scope", "online", "status", "capacity", "present"] as const;
export type PowerSupply = Readonly<Record<(typeof supplyFiles)[number], string>>;

/**
 * Returns the power source of the machine. Batteries of mice and keyboards have the scope "Device",
 * and supply nothing.
 */
export function powerOf(supplies: readonly PowerSupply[]): Power {
  const own = supplies.filter(({ scope }) => scope !== "Device");
  const batteries = own.filter(
    ({ type, present }) => (type === "Battery" || type === "UPS") && present !== "0",
  );
  if (batteries.length === 0) return { ...unknownPower, onBattery: false };
  const lines = own.filter(({ type }) => type === "Mains" || type.startsWith("USB"));
  const isUnplugged = lines.length > 0 && lines.every(({ online }) => online === "0");
  const isDischarging = batteries.some(({ status }) => status === "Discharging");
  const charges = batteries.filter(({ capacity }) => /^\d+$/.test(capacity));
  const sum = charges.reduce((total, { capacity }) => total + Number(capacity), 0);
  const batteryPercent = percentOf(sum, 100 * charges.length);
  return { onBattery: isDischarging || isUnplugged, batteryPercent, savesPower: null };
}

/** Reads a folder such as /sys/class/power_supply. */
export async function powerIn(folder: string): Promise<Power> {
  const names = await namesIn(folder);
  const read = async (name: string): Promise<PowerSupply> => {
    const texts = await Promise.all(supplyFiles.map((file) => textOf(`${folder}/${name}/${file}`)));
    return Object.fromEntries(supplyFiles.map((file, at) => [file, texts[at]!])) as PowerSupply;
  };
  return powerOf(await Promise.all(names.map(read)));
}

/**
 * Returns the share of the last 10 s in the text of a file below /proc/pressure.
 * @param line "some": a task waits; "full": all tasks wait at once
 */
export function pressureIn(text: string, line: "some" | "full"): number | null {
  const share = new RegExp(`^${line} avg10=(\\d+(?:\\.\\d+)?)`, "m").exec(text)?.[1];
  return share === undefined ? null : Number(share);
}

/** Returns the share of memory that programs can still get, in the text of /proc/meminfo. */
export function memoryFreeIn(text: string): number | null {
  const kibOf = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text)?.[1]);
  const share = percentOf(kibOf("MemAvailable"), kibOf("MemTotal"));
  return Number.isNaN(share) ? null : share;
}

/** Returns the path of a device in the output of `busctl call … GetDeviceByIpIface`. */
export const devicePathIn = (output: string): string | null => /^o "(\/\S+)"$/m.exec(output)?.[1] ?? null;

/** NMMetered: 0 unknown, 1 yes, 2 no, 3 probably yes, 4 probably no. */
const meteredValues: Readonly<Record<string, boolean>> = { 1: true, 2: false, 3: true, 4: false };

/** Returns the property in the output of `busctl get-property … Metered`. */
export const meteredIn = (output: string): boolean | null =>
  meteredValues[/^u (\d+)$/m.exec(output)?.[1] ?? ""] ?? null;

/** Telephones send this text as option 43 of DHCP when they share a metered network. */
const meteredMark = Buffer.from("ANDROID_METERED").toString("hex");

/** Reads a lease of systemd-networkd. @returns null without a lease */
export function leaseIsMetered(lease: string): boolean | null {
  if (lease === "") return null;
  const option = /^VENDOR_SPECIFIC=([0-9a-fA-F]*)$/m.exec(lease)?.[1] ?? "";
  return option.toLowerCase().includes(meteredMark);
}

/** ARPHRD_PPP: a modem. */
const pppType = "512";

/** Whether an interface is a modem: its `type` and `uevent` in sysfs. */
export const isModem = (type: string, uevent: string): boolean =>
  type === pppType || /^DEVTYPE=wwan$/m.test(uevent);

const networkManager = "org.freedesktop.NetworkManager";

async function askNetworkManager(interfaceName: string): Promise<boolean | null> {
  // Without NetworkManager, no program is started for it.
  if (!existsSync(networkManagerFolder)) return null;
  const manager = [networkManager, "/org/freedesktop/NetworkManager", networkManager];
  const found = await outputOf(["busctl", "call", ...manager, "GetDeviceByIpIface", "s", interfaceName]);
  const path = devicePathIn(found);
  if (path === null) return null;
  const property = [networkManager, path, `${networkManager}.Device`, "Metered"];
  return meteredIn(await outputOf(["busctl", "get-property", ...property]));
}

async function isMetered(interfaceName: string): Promise<boolean | null> {
  const base = `${interfacesFolder}/${interfaceName}`;
  const [type, uevent, index] = await Promise.all([
    textOf(`${base}/type`),
    textOf(`${base}/uevent`),
    textOf(`${base}/ifindex`),
  ]);
  if (isModem(type, uevent)) return true;
  return (await askNetworkManager(interfaceName)) ?? leaseIsMetered(await textOf(`${leasesFolder}/${index}`));
}

export async function conditions(interfaceName: string | null): Promise<SystemConditions> {
  const [source, metered, idleMs, cpu, io, memory] = await Promise.all([
    powerIn(suppliesFolder),
    interfaceName === null ? null : isMetered(interfaceName),
    userIdleMs(),
    textOf("/proc/pressure/cpu"),
    textOf("/proc/pressure/io"),
    textOf("/proc/meminfo"),
  ]);
  return {
    ...source,
    isMetered: metered,
    userIdleMs: idleMs,
    cpuPercent: pressureIn(cpu, "some"),
    ioPercent: pressureIn(io, "full"),
    memoryFreePercent: memoryFreeIn(memory),
  };
}
