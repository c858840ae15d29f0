/**
 * What a device tells the source of itself: interfaces, system, disk, power, cache. Read anew at every check-in.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import os from "node:os";
import type { Inventory } from "../control/schema.ts";
import type { RankInputs } from "../core/ranking.ts";
import type { NetInterface } from "../net/interface-choice.ts";
import { describeInterfaces } from "../net/interfaces.ts";
import { version } from "../version.ts";

const powerSupplies = "/sys/class/power_supply";
/** DMI chassis types (SMBIOS 3.7, table 17) of machines with a battery, and of servers. */
const laptopChassis = new Set([8, 9, 10, 11, 14, 30, 31, 32]);
const serverChassis = new Set([17, 23, 25, 28, 29]);

export async function readInventory(options: {
  interfaces: readonly NetInterface[];
  /** The interface the device plays its roles on. */
  active: NetInterface | null;
  group: string;
  groups: readonly string[];
  dataFolder: string;
  cacheBytes: number;
}): Promise<Inventory> {
  const { bavail, bsize } = await statfs(options.dataFolder);
  return {
    hostname: os.hostname().slice(0, 255) || "unknown",
    os: `${os.type()} ${os.release()}`.slice(0, 64),
    arch: process.arch,
    agentVersion: version,
    deviceClass: deviceClass(),
    onBattery: onBattery(),
    memoryBytes: os.totalmem(),
    diskFreeBytes: bavail * bsize,
    cacheBytes: options.cacheBytes,
    groups: [...options.groups],
    interfaces: describeInterfaces(options.interfaces, options.active, options.group).slice(0, 64),
  };
}

export const nameOfDevice = (): { hostname: string; os: string; arch: string; agentVersion: string } => ({
  hostname: os.hostname().slice(0, 255) || "unknown",
  os: `${os.type()} ${os.release()}`.slice(0, 64),
  arch: process.arch,
  agentVersion: version,
});

const supplyText = (supply: string, file: string): string => {
  const path = `${powerSupplies}/${supply}/${file}`;
  return existsSync(path) ? readFileSync(path, "utf8").trim() : "";
};

/** Running on battery right now. Where the system does not say, it is taken to be on mains. */
export function onBattery(): boolean {
  try {
    if (process.platform === "linux" && existsSync(powerSupplies)) {
      return readdirSync(powerSupplies).some(
        (supply) =>
          supplyText(supply, "type") === "Battery" && supplyText(supply, "status") === "Discharging",
      );
    }
    if (process.platform === "darwin") return output(["pmset", "-g", "batt"]).includes("Battery Power");
    if (process.platform === "win32") {
      return (
        output([
          "powershell",
          "-NoProfile",
          "-Command",
          "(Get-CimInstance Win32_Battery).BatteryStatus",
        ]).trim() === "1"
      );
    }
  } catch {
    // Not told: mains.
  }
  return false;
}

const output = (command: string[]): string =>
  Bun.spawnSync(command, { stdout: "pipe", stderr: "ignore" }).stdout.toString();

export function deviceClass(): RankInputs["deviceClass"] {
  try {
    if (process.platform === "linux") {
      const chassis = Number(readFileSync("/sys/class/dmi/id/chassis_type", "utf8"));
      if (laptopChassis.has(chassis)) return "laptop";
      if (serverChassis.has(chassis)) return "server";
      return chassis > 2 ? "desktop" : "unknown";
    }
    if (process.platform === "darwin")
      return output(["sysctl", "-n", "hw.model"]).includes("Book") ? "laptop" : "desktop";
    if (process.platform === "win32") {
      const product = output([
        "powershell",
        "-NoProfile",
        "-Command",
        "(Get-CimInstance Win32_OperatingSystem).ProductType",
      ]).trim();
      return product === "1" ? "desktop" : "server";
    }
  } catch {
    // Not told.
  }
  return "unknown";
}
