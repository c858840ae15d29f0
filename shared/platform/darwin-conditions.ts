/**
 * Conditions of a macOS machine: the output of pmset, vm_stat and ioreg, and the load average. The
 * functions that parse are pure. No command tells of a metered network. The interface of a
 * telephone counts as one.
 */
import { cpus, loadavg, totalmem } from "node:os";
import { percentOf, unknownPower, type Power, type SystemConditions } from "../model/conditions.ts";
import { outputOf } from "./run-program.ts";

/**
 * Returns the power source in the output of `pmset -g batt`. A UPS counts as well: pmset calls it
 * "UPS Power".
 */
export function powerIn(listing: string): Power {
  const source = /drawing from '(.+?) Power'/.exec(listing)?.[1];
  if (source === undefined) return unknownPower;
  const charges = [...listing.matchAll(/^ -.*?\t(\d+)%;/gm)].map(([, percent]) => Number(percent));
  const sum = charges.reduce((total, percent) => total + percent, 0);
  return {
    onBattery: source === "Battery" || source === "UPS",
    batteryPercent: percentOf(sum, 100 * charges.length),
    savesPower: null,
  };
}

/** Returns the mode in the output of `pmset -g`; null where macOS has none. */
export function savesPowerIn(settings: string): boolean | null {
  const mode = /^\s*lowpowermode\s+(\d)/m.exec(settings)?.[1];
  return mode === undefined ? null : mode === "1";
}

/** Returns the free share of memory in the output of `vm_stat`. Inactive pages can be reused. */
export function memoryFreeIn(output: string, memoryBytes: number): number | null {
  const pageBytes = Number(/page size of (\d+) bytes/.exec(output)?.[1] ?? 0);
  const pagesOf = (name: string): number =>
    Number(new RegExp(`^Pages ${name}: +(\\d+)\\.`, "m").exec(output)?.[1] ?? 0);
  if (pageBytes === 0) return null;
  const pages = pagesOf("free") + pagesOf("inactive") + pagesOf("speculative");
  return percentOf(pages * pageBytes, memoryBytes);
}

/** Interfaces of a telephone by USB or Bluetooth, in the output of `networksetup`. */
export function isTelephone(listing: string, interfaceName: string): boolean {
  const port = [...listing.matchAll(/^Hardware Port: (.*)\nDevice: (\S+)/gm)].find(
    ([, , name]) => name === interfaceName,
  );
  return port !== undefined && /iphone|ipad|bluetooth/i.test(port[1]!);
}

/** Load per processor; a load of 1 and above counts as busy all the time. */
export const loadPercent = (load: number, processors: number): number | null => percentOf(load, processors);

const hardwarePorts = ["/usr/sbin/networksetup", "-listallhardwareports"];

export const powerListing = (): Promise<string> => outputOf(["/usr/bin/pmset", "-g", "batt"]);

export async function readConditions(
  interfaceName: string | null,
  userIdleMs: () => Promise<number | null>,
): Promise<SystemConditions> {
  const [listing, settings, memory, ports, idleMs] = await Promise.all([
    powerListing(),
    outputOf(["/usr/bin/pmset", "-g"]),
    outputOf(["/usr/bin/vm_stat"]),
    interfaceName === null ? "" : outputOf(hardwarePorts),
    userIdleMs(),
  ]);
  return {
    ...powerIn(listing),
    savesPower: savesPowerIn(settings),
    isMetered: interfaceName !== null && isTelephone(ports, interfaceName) ? true : null,
    userIdleMs: idleMs,
    cpuPercent: loadPercent(loadavg()[0]!, cpus().length),
    ioPercent: null,
    memoryFreePercent: memoryFreeIn(memory, totalmem()),
  };
}
