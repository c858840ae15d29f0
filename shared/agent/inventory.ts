/**
 * What a device tells the source of itself: interfaces, system, disk, power, cache. Read anew at every check-in.
 */
import { statfs } from "node:fs/promises";
import os from "node:os";
import type { Inventory } from "../api/schema/common.ts";
import type { NetInterface } from "../model/interface.ts";
import { describeInterfaces } from "../net/interfaces/list.ts";
import { platform, type DeviceClass } from "../platform/index.ts";
import { version } from "../version.ts";

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

/** Running on battery at present. Where the system does not tell, the device counts as on mains. */
export function onBattery(): boolean {
  try {
    return platform.onBattery();
  } catch {
    return false;
  }
}

export function deviceClass(): DeviceClass {
  try {
    return platform.deviceClass();
  } catch {
    return "unknown";
  }
}
