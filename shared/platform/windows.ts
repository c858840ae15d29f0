/** The Windows implementation of platform.ts: windows-api.ts and windows-tables.ts. */
import type { CommandShell } from "../model/package-command.ts";
import { cachedNetwork } from "./network-cache.ts";
import type { DeviceClass, KernelNetwork, ProcessTree, ShellCommand } from "./platform.ts";
import { bestGateway } from "./routes.ts";
import { outputOf } from "./run-program.ts";
import * as api from "./windows-api.ts";
import { processEntries, sessionInformations } from "./windows-api-sessions.ts";
import { idleMsOfSession, programNameOf } from "./windows-sessions.ts";
import {
  classOf,
  describeRows,
  drawsFromBattery,
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

export const onBattery = async (): Promise<boolean> => drawsFromBattery(tryCall(api.powerStatus, null));
export const deviceClass = async (): Promise<DeviceClass> =>
  classOf(tryCall(api.productType, 0), tryCall(api.platformRole, 0), tryCall(api.powerStatus, null));

export const os = "windows";
/** Script of PowerShell at the beginning of a command, in quotes or not. */
const powerShellScript = /^\s*(?:"[^"]+\.ps1"|[^\s"&|<>]+\.ps1)(?=\s|$)/i;
const powerShellOptions = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass"];
const powerShell = `powershell.exe ${powerShellOptions.join(" ")} -File`;

/**
 * PowerShell ends with 0 or 1, whatever status a script or a program ended with: 3010 would be
 * lost. Progress would be written to the standard error as XML.
 */
const powerShellText = (command: string): string =>
  [
    "$ProgressPreference = 'SilentlyContinue'",
    command,
    "$succeeded = $?",
    "if ($LASTEXITCODE) { exit $LASTEXITCODE }",
    "if (-not $succeeded) { exit 1 }",
  ].join("\n");

/**
 * cmd.exe removes the first and the last quotation mark of its argument (/s), and takes what is
 * between them as it is. Quotation marks of the command must therefore not be escaped. cmd.exe
 * itself would open a .ps1 file in an editor.
 */
export function shell(command: string, named: CommandShell | null): ShellCommand {
  if (named === "powershell") {
    // Base64 of UTF-16LE needs no quotation marks.
    const encoded = Buffer.from(powerShellText(command), "utf16le").toString("base64");
    return { words: ["powershell.exe", ...powerShellOptions, "-EncodedCommand", encoded], isVerbatim: false };
  }
  const line = powerShellScript.test(command) ? `${powerShell} ${command.trimStart()}` : command;
  return { words: ["cmd.exe", "/d", "/s", "/c", `"${line}"`], isVerbatim: true };
}
/** Variables of Windows that programs need to find the system, its folders and each other. */
const environmentNames =
  /^(SystemRoot|SystemDrive|windir|ComSpec|Path|PATHEXT|PSModulePath|TEMP|TMP|OS|NUMBER_OF_PROCESSORS|PROCESSOR_\w+|COMPUTERNAME|USERNAME|USERDOMAIN|USERPROFILE|APPDATA|LOCALAPPDATA|HOMEDRIVE|HOMEPATH|ALLUSERSPROFILE|PUBLIC|ProgramData|(Common)?ProgramFiles(\(x86\))?|(Common)?ProgramW6432)$/i;

export const commandEnvironment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => environmentNames.test(entry[0])),
  );

/** A command that outlasts the agent on Windows has no known outcome. */
export const processStart = async (_pid: number): Promise<string | null> => null;

export const hasProcessGroups = false;

/** Puts the process into a job, to which its descendants belong, also after its own end. */
export function processTree(pid: number): ProcessTree {
  const job = tryCall(() => api.openJob(pid), null);
  if (job !== null) return job;
  // The process has ended, or belongs to a job that allows no other.
  return {
    signal: (signal) => void tryCall(() => process.kill(pid, signal), false),
    isRunning: () => tryCall(() => process.kill(pid, 0), false),
    close: () => {},
  };
}

export const runningPrograms = async (): Promise<string[]> => [
  ...new Set(tryCall(() => processEntries().map(programNameOf), [])),
];
export const ignoresCase = true;

export async function userIdleMs(): Promise<number | null> {
  const idle = tryCall(() => sessionInformations().map(idleMsOfSession), []).filter((ms) => ms !== null);
  return idle.length === 0 ? null : Math.min(...idle);
}
