/**
 * Services of macOS by launchd: a property list in /Library/LaunchDaemons, and `launchctl` with the
 * commands of macOS 10.11 and later (`bootstrap`, not `load`). Written from Apple's documentation;
 * nobody ran it on a Mac.
 */
import { existsSync } from "node:fs";
import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launchdPlist, labelOf } from "./launchd-plist.ts";
import { runSystemProgram } from "./run-program.ts";
import {
  ServiceError,
  type ServiceManager,
  type ServiceName,
  type ServiceSpec,
  type ServiceStatus,
} from "./service.ts";

const launchctl = "/bin/launchctl";
const firewall = "/usr/libexec/ApplicationFirewall/socketfilterfw";
const plistOf = (name: ServiceName): string => join("/Library/LaunchDaemons", `${labelOf(name)}.plist`);
const targetOf = (name: ServiceName): string => `system/${labelOf(name)}`;

/** Attempts of a start while launchd still removes the earlier process: error 37 or 5. */
const startAttempts = 20;
const startWaitMs = 500;

const isLoaded = async (name: ServiceName): Promise<boolean> =>
  (await runSystemProgram([launchctl, "print", targetOf(name)])).status === 0;

async function install(spec: ServiceSpec): Promise<readonly string[]> {
  await stop(spec.name);
  const path = plistOf(spec.name);
  await writeFile(path, launchdPlist(spec));
  await chmod(path, 0o644);
  await runSystemProgram([launchctl, "enable", targetOf(spec.name)]);
  const program = spec.command[0]!;
  await runSystemProgram([firewall, "--add", program]);
  const { status, lastLine } = await runSystemProgram([firewall, "--unblockapp", program]);
  return status === 0 ? [] : [`the firewall of macOS was not changed: ${lastLine}`];
}

async function remove(name: ServiceName): Promise<void> {
  await stop(name);
  await rm(plistOf(name), { force: true });
}

async function start(name: ServiceName): Promise<void> {
  if (!existsSync(plistOf(name))) throw new ServiceError(`${name} is not installed: run service install`);
  if (await isLoaded(name)) return;
  for (let attempt = 1; ; attempt++) {
    const { status, lastLine } = await runSystemProgram([launchctl, "bootstrap", "system", plistOf(name)]);
    if (status === 0) return;
    if (attempt >= startAttempts) throw new ServiceError(`Cannot start ${name}: ${lastLine}`);
    await Bun.sleep(startWaitMs);
  }
}

/** Unloads the service, because `KeepAlive` would start it again. It is loaded at the next boot. */
async function stop(name: ServiceName): Promise<void> {
  if (!(await isLoaded(name))) return;
  const { status, lastLine } = await runSystemProgram([launchctl, "bootout", targetOf(name)]);
  if (status !== 0 && (await isLoaded(name))) throw new ServiceError(`Cannot stop ${name}: ${lastLine}`);
}

/** Reads the output of `launchctl print`. */
export function statusIn(listing: string): ServiceStatus {
  const pid = Number(/^\s*pid = (\d+)/m.exec(listing)?.[1] ?? 0);
  const isRunning = /^\s*state = running/m.test(listing);
  return { state: isRunning ? "running" : "failed", startsAtBoot: true, pid: pid > 0 ? pid : null };
}

async function stateOf(name: ServiceName): Promise<ServiceStatus> {
  const { status: code, stdout } = await runSystemProgram([launchctl, "print", targetOf(name)]);
  if (code === 0) return statusIn(stdout);
  const isInstalled = existsSync(plistOf(name));
  return { state: isInstalled ? "stopped" : "not-installed", startsAtBoot: isInstalled, pid: null };
}

export const launchd: ServiceManager = {
  name: "launchd",
  keepsLog: false,
  isRunning: () => true,
  dataFolderOf: (name) =>
    join("/Library/Application Support", name === "flockcast-peer" ? "flockcast" : name),
  words: [],
  install,
  remove,
  start,
  stop,
  status: stateOf,
};
