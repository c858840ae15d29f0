/**
 * Reads the inventory that a device reports to the source: interfaces, system, disk, power, cache.
 * Every check-in reads it again.
 */
import { statfs } from "node:fs/promises";
import os from "node:os";
import type { DistributionCache } from "../cache/index.ts";
import type { PackageUse } from "../cache/ledger.ts";
import { statedPackagesMax, type CheckInRequest } from "../api/schema/agent.ts";
import { cachedPackagesMax, type CachedPackage } from "../api/schema/device-detail.ts";
import type { Inventory } from "../api/schema/common.ts";
import type { NetInterface } from "../model/interface.ts";
import type { TargetView } from "../model/target/index.ts";
import { deviceZone } from "../model/time-zone.ts";
import { describeInterfaces } from "../net/interfaces/list.ts";
import type { DeviceClass } from "../platform/index.ts";
import { printable } from "../printable.ts";
import { version } from "../version.ts";

/**
 * Returns the inventory in the API's form. Class and power are those of the last reading of the
 * conditions, whose queries need not be made twice.
 * @throws Error when the file system of `dataFolder` cannot be queried
 */
export async function readInventory(options: {
  interfaces: readonly NetInterface[];
  /** The interface that the agent uses for the LAN; null if none. */
  active: NetInterface | null;
  /** MAC of the active interface's gateway; null if it is not known. */
  gatewayMac: string | null;
  /** "ADDRESS:PORT" if the multicast group was set with `--group`, otherwise empty. */
  group: string;
  /** Groups that the device wishes to be in. */
  groups: readonly string[];
  deviceClass: DeviceClass;
  onBattery: boolean;
  dataFolder: string;
  cacheBytes: number;
}): Promise<Inventory> {
  const { bavail, bsize } = await statfs(options.dataFolder);
  return {
    hostname: hostname(),
    os: `${os.type()} ${os.release()}`.slice(0, 64),
    arch: process.arch,
    agentVersion: version,
    deviceClass: options.deviceClass,
    onBattery: options.onBattery,
    memoryBytes: os.totalmem(),
    diskFreeBytes: bavail * bsize,
    cacheBytes: options.cacheBytes,
    groups: [...options.groups],
    interfaces: describeInterfaces(options.interfaces, options.active, options.group, options.gatewayMac).map(
      (one) => Object.assign({}, one, { name: statedName(one.name, 64) }),
    ),
    utcOffsetMinutes: Math.round(deviceZone(Date.now()) / 60_000),
  };
}

/**
 * Returns the device as it knows itself, for the targets of orders. The source knows more, and
 * facts that change may differ there: these are unknown.
 */
export const selfView = (deviceId: string, active: NetInterface | null): TargetView => ({
  isPartial: true,
  id: deviceId,
  names: [os.hostname()],
  tags: [],
  subnet: active && { id: "", cidr: active.cidr, name: null },
  site: null,
  os: `${os.type()} ${os.release()}`,
  arch: process.arch,
  agentVersion: version,
  resultIn: () => null,
  versionsOf: () => null,
});

/** Returns a name of the system in a form that the source accepts: one visible line. */
export const statedName = (name: string, lengthMax: number): string =>
  printable(name.slice(0, lengthMax)).slice(0, lengthMax).toWellFormed() || "unknown";

const hostname = (): string => statedName(os.hostname(), 255);

/** Returns what a check-in states: packages, the last used ones first, and the own setting. */
export function statementOf(
  { ledger }: DistributionCache,
  setting: { readonly name: string; readonly version: number } | null,
): Pick<CheckInRequest, "packages" | "cached" | "setting"> {
  const uses = ledger.uses().toSorted((a, b) => b.lastUsedAtMs - a.lastUsedAtMs);
  const complete = uses.filter(({ state }) => state === "complete");
  return {
    packages: complete.slice(0, statedPackagesMax).map(({ id }) => id),
    cached: uses.slice(0, cachedPackagesMax).map(cachedOf),
    setting: setting && { name: setting.name, version: setting.version },
  };
}

const cachedOf = (use: PackageUse): CachedPackage => ({
  packageId: use.id,
  name: use.name,
  version: use.version,
  storedBytes: use.bytesVerified,
  totalBytes: use.sizeBytes,
  complete: use.state === "complete",
  lastUsedAtMs: Math.max(0, Math.floor(use.lastUsedAtMs)),
});

export const nameOfDevice = (): { hostname: string; os: string; arch: string; agentVersion: string } => ({
  hostname: hostname(),
  os: `${os.type()} ${os.release()}`.slice(0, 64),
  arch: process.arch,
  agentVersion: version,
});
