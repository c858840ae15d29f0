/**
 * The Windows implementation of platform.ts: calls in windows-api.ts, their results in
 * windows-tables.ts, processes in windows-process.ts, commands in windows-command.ts.
 */
import type { Stats } from "node:fs";
import { win32 } from "node:path";
import type { SystemConditions } from "../model/conditions.ts";
import { firmwareUuidIn, machineUuidIn, type MachineId } from "./machine-uuid.ts";
import { cachedNetwork } from "./network-cache.ts";
import type { AccessRole, DeviceClass, KernelNetwork, ProcessTree } from "./platform.ts";
import { bestGateway } from "./routes.ts";
import { outputOf } from "./run-program.ts";
import * as access from "./windows-api-access.ts";
import { connectionCost, memory, processorTimes } from "./windows-api-conditions.ts";
import * as api from "./windows-api.ts";
import { isPrivateSecurity, parseSecurity, privateSecurity, securityProblem } from "./windows-access.ts";
import * as processes from "./windows-process.ts";
import {
  busyPercent,
  isMeteredCost,
  memoryFreeOf,
  powerOf,
  userIdleMsOf,
  type ProcessorTimes,
} from "./windows-conditions.ts";
import { firmwareTable, machineGuid } from "./windows-api-machine.ts";
import { processEntries, sessionInformations, sessionStates } from "./windows-api-sessions.ts";
import { idleMsOfSession, programNameOf } from "./windows-sessions.ts";
import {
  bootIdIn,
  classOf,
  describeRows,
  parseInterfaces,
  parseNeighbours,
  parseRoutes,
} from "./windows-tables.ts";

/** Returns `otherwise` if a library or a function of Windows is missing. */
function tryCall<T>(call: () => T, otherwise: T): T {
  try {
    return call();
  } catch {
    return otherwise;
  }
}

/** With many adapters and packet filters, Windows takes some 10 ms for the table. */
const networkAgeMs = 5_000;

export const kernelNetwork = cachedNetwork(networkAgeMs, readNetwork);

async function readNetwork(): Promise<KernelNetwork> {
  const rows = tryCall(() => parseInterfaces(api.interfaceRows()), []);
  const routes = tryCall(() => parseRoutes(api.routeTable()), []).filter(({ isDefault }) => isDefault);
  const aliases = new Map(rows.map(({ index, alias }) => [index, alias]));
  const gateways = new Map<string, Set<string>>();
  for (const { interfaceIndex, gateway } of routes) {
    const name = aliases.get(interfaceIndex);
    if (name !== undefined) gateways.set(name, (gateways.get(name) ?? new Set()).add(gateway));
  }
  return { interfaces: describeRows(rows, routes), gateways };
}

/** Row of an interface in the tables of Windows; undefined if there is none of this name. */
const rowOf = (interfaceName: string) =>
  tryCall(() => parseInterfaces(api.interfaceRows()), []).find(
    ({ alias, isFilter }) => alias === interfaceName && !isFilter,
  );

export async function gatewayOf(interfaceName: string): Promise<string | null> {
  const index = rowOf(interfaceName)?.index;
  const routes = tryCall(() => parseRoutes(api.routeTable()), []);
  return bestGateway(routes.filter(({ interfaceIndex }) => interfaceIndex === index));
}

export async function neighbourMac(interfaceName: string, neighbour: string): Promise<string | null> {
  const index = rowOf(interfaceName)?.index;
  const neighbours = tryCall(() => parseNeighbours(api.neighbourTable()), []);
  const entry = neighbours.find((one) => one.interfaceIndex === index && one.address === neighbour);
  return entry?.mac ?? null;
}

export const mtuOf = async (name: string): Promise<number | null> => rowOf(name)?.mtu ?? null;
export const watchesMtu = false;

/** Windows cannot bind a socket to a multicast address. */
export const groupBindAddress = (_group: string): undefined => undefined;
export const libraryNames: readonly string[] = [];
export const receiveBufferBytes = (reported: number): number => reported;
export const raiseReceiveBuffer = (_bytes: number): null => null;
export const kernelDrops = (_port: number): number | null => null;

export const hasDirectIo = false;
export const syncFileSystem = async (_path: string): Promise<boolean> => false;
/** Windows has no call that syncs a folder, and needs none. */
export const syncsFolders = false;
export const locksOpenFiles = true;
export const setSparse = (path: string): boolean => tryCall(() => api.setSparse(path, true), false);

/** Upper bound on filling the gaps of a file; a file that takes longer stays sparse. */
const fillLimitMs = 3_600_000;

/** With gaps, the call would write zeros while it blocks: another process makes it. */
export async function clearSparse(path: string, hasGaps: boolean): Promise<void> {
  if (hasGaps) await outputOf(["fsutil.exe", "sparse", "setflag", path, "0"], fillLimitMs);
  else tryCall(() => api.setSparse(path, false), false);
}

export const deviceClass = async (): Promise<DeviceClass> =>
  classOf(tryCall(api.productType, 0), tryCall(api.platformRole, 0), tryCall(api.powerStatus, null));

export const unixSocketPathBytes = 0;
export function accessProblem(path: string, role: AccessRole, _found?: Stats): string | null {
  const found = parseSecurity(access.securityOf(win32.resolve(path)));
  return securityProblem(path, found, role, access.ownSid());
}

/** A change reaches the contents of a folder. So nothing is changed that is right. */
export function makePrivate(path: string, kind: "file" | "folder"): void {
  const full = win32.resolve(path);
  if (isPrivate(full)) return;
  access.setSecurity(full, privateSecurity(kind, access.ownSid()));
}

export const isPrivate = (path: string): boolean =>
  isPrivateSecurity(parseSecurity(access.securityOf(win32.resolve(path))), access.ownSid());

export const isAdministrator = (): boolean => tryCall(api.isUserAdministrator, false);

export const os = "windows";
/** A shutdown with Fast Startup hibernates the system, so the next start is not a restart. */
export const bootId = async (): Promise<string | null> => bootIdIn(tryCall(api.timeOfDay, null));
export const machineId = async (): Promise<MachineId> => ({
  system: machineUuidIn(tryCall(machineGuid, "")),
  firmware: firmwareUuidIn(tryCall(firmwareTable, new Uint8Array())),
});
export { startCommand, systemEnvironment } from "./windows-command.ts";
export const hasProcessGroups = false;
export const processStart = async (pid: number): Promise<string | null> =>
  tryCall(() => processes.processStart(pid), null);

export const processTree = (pid: number): ProcessTree =>
  tryCall(() => processes.processTree(pid), processes.soleProcess(pid));

export const runningPrograms = async (): Promise<string[]> => [
  ...new Set(tryCall(() => processEntries().map(programNameOf), [])),
];
export const ignoresCase = true;

export async function userIdleMs(): Promise<number | null> {
  const idle = tryCall(() => sessionInformations().map(idleMsOfSession), []).filter((ms) => ms !== null);
  return idle.length === 0 ? null : Math.min(...idle);
}

export { claimDisk, endMachine, listDisks } from "./no-disks.ts";
/** Times of the processors at the reading before. */
let timesBefore: ProcessorTimes | null = null;

export async function conditions(_interfaceName: string | null): Promise<SystemConditions> {
  const times = tryCall(processorTimes, null);
  const cpuPercent = busyPercent(timesBefore, times);
  timesBefore = times;
  return {
    ...powerOf(tryCall(api.powerStatus, null)),
    isMetered: isMeteredCost(tryCall(connectionCost, null)),
    userIdleMs: tryCall(() => userIdleMsOf(sessionStates()), null),
    cpuPercent,
    ioPercent: null,
    memoryFreePercent: memoryFreeOf(tryCall(memory, null)),
  };
}

export const browserCommand = (address: string): readonly string[] => [
  "rundll32.exe",
  "url.dll,FileProtocolHandler",
  address,
];

export { windowsServices as serviceManager } from "./windows-service.ts";
export { connectToManager } from "./windows-service-process.ts";
