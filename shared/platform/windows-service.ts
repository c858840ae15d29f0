/**
 * Services of Windows: `windows-api-services.ts` has the calls of the service control manager. A
 * rule of the firewall lets other devices reach the program.
 */
import { win32 } from "node:path";
import { runSystemProgram } from "./run-program.ts";
import {
  ServiceError,
  type ServiceManager,
  type ServiceName,
  type ServiceSpec,
  type ServiceState,
  type ServiceStatus,
} from "./service.ts";
import { setSecurity } from "./windows-api-access.ts";
import * as api from "./windows-api-services.ts";

/** Waits before the system starts a failed service again. The last one counts for all others. */
const restartDelaysMs = [5_000, 5_000, 60_000] as const;
/** A service that ran for a day begins again with the first delay. */
const forgetsAfterSeconds = 86_400;
/** Access list of the system and of administrators alone. */
const systemSecurity = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
const stopMsMax = 20_000;
const pollMs = 50;

/** Quotes a word as CommandLineToArgvW reads it: backslashes count before a quotation mark only. */
export function quoteArgument(word: string): string {
  if (/^[^\s"]+$/.test(word)) return word;
  const doubled = word.replaceAll(/(\\+)(?="|$)/g, "$1$1");
  return `"${doubled.replaceAll('"', String.raw`\"`)}"`;
}

const netsh = (...words: readonly string[]) =>
  runSystemProgram(["netsh.exe", "advfirewall", "firewall", ...words]);

async function install(spec: ServiceSpec): Promise<readonly string[]> {
  const { name, description, command } = spec;
  api.putService({ name, displayName: description, commandLine: command.map(quoteArgument).join(" ") });
  const notes: string[] = [];
  api.withService(name, "all", (service) => {
    api.describeService(service, description);
    if (!api.restartOnFailure(service, restartDelaysMs, forgetsAfterSeconds))
      notes.push("this system cannot start a service again after a failure");
    if (!api.delayStart(service)) notes.push("this system cannot delay the start of a service");
  });
  // The administrator who installs the service is another user than the system, which runs it.
  for (const path of [spec.dataFolder, ...spec.files]) setSecurity(path, systemSecurity);
  await netsh("delete", "rule", `name=${name}`);
  const program = `program=${command[0]!}`;
  const rule = ["add", "rule", `name=${name}`, "dir=in", "action=allow", "profile=any", program];
  const { status, lastLine } = await netsh(...rule);
  if (status !== 0)
    notes.push(`the firewall was not changed, allow inbound connections of ${command[0]!}: ${lastLine}`);
  return notes;
}

async function remove(name: ServiceName): Promise<void> {
  await stop(name);
  api.withService(name, "all", (service) => api.deleteService(service, name));
  await netsh("delete", "rule", `name=${name}`);
}

async function start(name: ServiceName): Promise<void> {
  const found = api.withService(name, "all", (service) => {
    api.startService(service, name);
    return true;
  });
  if (found === null) throw new ServiceError(`${name} is not installed: run service install`);
}

async function stop(name: ServiceName): Promise<void> {
  if (api.withService(name, "all", (service) => api.askToStop(service, name)) !== true) return;
  for (const untilMs = performance.now() + stopMsMax; performance.now() < untilMs; await Bun.sleep(pollMs))
    if ((await stateOf(name)).state === "stopped") return;
  throw new ServiceError(`The service ${name} did not stop within ${stopMsMax / 1_000} s: look at its log`);
}

/** SERVICE_STATUS_PROCESS.dwCurrentState. */
const states: Readonly<Record<number, ServiceState>> = {
  1: "stopped",
  2: "starting",
  3: "stopping",
  4: "running",
};

/** Reads SERVICE_STATUS_PROCESS. */
export function statusIn(found: DataView, startsAtBoot: boolean): ServiceStatus {
  const current = states[found.getUint32(4, true)] ?? "unknown";
  const hasFailed = current === "stopped" && found.getUint32(12, true) === specificError;
  const pid = found.getUint32(28, true);
  return { state: hasFailed ? "failed" : current, startsAtBoot, pid: pid === 0 ? null : pid };
}

/** ERROR_SERVICE_SPECIFIC_ERROR. */
const specificError = 1_066;

const stateOf = async (name: ServiceName): Promise<ServiceStatus> =>
  api.withService(name, "query", (service) =>
    statusIn(api.processStatus(service), api.startsWithSystem(service)),
  ) ?? { state: "not-installed", startsAtBoot: false, pid: null };

const dataRoot = (): string => process.env["ProgramData"] ?? String.raw`C:\ProgramData`;

export const windowsServices: ServiceManager = {
  name: "the service control manager",
  keepsLog: false,
  isRunning: () => true,
  dataFolderOf: (name) => win32.join(dataRoot(), name === "flockcast-peer" ? "flockcast" : name),
  words: ["--service"],
  install,
  remove,
  start,
  stop,
  status: stateOf,
};
