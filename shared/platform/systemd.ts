/**
 * Services of Linux by systemd: a unit in /etc/systemd/system, and `systemctl`. Where systemd does
 * not run, as in a chroot that becomes an image, a service is installed for the next boot.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runSystemProgram } from "./run-program.ts";
import {
  ServiceError,
  type ServiceManager,
  type ServiceName,
  type ServiceSpec,
  type ServiceState,
  type ServiceStatus,
} from "./service.ts";
import { quoteWord, systemdUnit } from "./systemd-unit.ts";

const ownFolder = "/etc/systemd/system";
const packageFolders = ["/usr/lib/systemd/system", "/lib/systemd/system"] as const;
/** Exists while systemd is the init of this system (sd_booted(3)). */
const bootedFolder = "/run/systemd/system";

const unitName = (name: ServiceName): string => `${name}.service`;
const ownUnit = (name: ServiceName): string => join(ownFolder, unitName(name));
const hasPackageUnit = (name: ServiceName): boolean =>
  packageFolders.some((folder) => existsSync(join(folder, unitName(name))));
const isBooted = (): boolean => existsSync(bootedFolder);

/** @throws ServiceError with the message of systemctl */
async function systemctl(doing: string, ...words: readonly string[]): Promise<string> {
  const { status, stdout, lastLine } = await runSystemProgram(["systemctl", ...words]);
  if (status === 0) return stdout;
  throw new ServiceError(`Cannot ${doing}: ${lastLine || "systemctl failed without a message"}`);
}

function requireSystemd(): void {
  if (Bun.which("systemctl") !== null) return;
  throw new ServiceError(
    "This system has no systemd (systemctl is missing): let its own service manager start the program, as docs/OPERATIONS.md describes",
  );
}

async function makeUser(user: string, spec: ServiceSpec): Promise<void> {
  if ((await runSystemProgram(["getent", "passwd", user])).status !== 0) {
    const words = ["--system", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", user];
    const { status, lastLine } = await runSystemProgram(["useradd", ...words]);
    if (status !== 0) throw new ServiceError(`Cannot make the user ${user} of the service: ${lastLine}`);
  }
  await mkdir(spec.dataFolder, { recursive: true, mode: 0o700 });
  const { status, lastLine } = await runSystemProgram(["chown", "-R", `${user}:`, spec.dataFolder]);
  if (status !== 0) throw new ServiceError(`Cannot give "${spec.dataFolder}" to ${user}: ${lastLine}`);
}

async function install(spec: ServiceSpec): Promise<readonly string[]> {
  requireSystemd();
  if (spec.user !== null) await makeUser(spec.user, spec);
  const commandLine = spec.command.map(quoteWord).join(" ");
  const path = ownUnit(spec.name);
  await writeFile(path, systemdUnit({ ...spec, commandLine, environmentFile: null }));
  await chmod(path, 0o644);
  if (isBooted()) await systemctl("read the new unit", "daemon-reload");
  await systemctl(`enable ${spec.name}`, "enable", unitName(spec.name));
  return hasPackageUnit(spec.name)
    ? [`${path} now takes the place of the unit that a package has installed`]
    : [];
}

async function remove(name: ServiceName): Promise<void> {
  requireSystemd();
  if (!existsSync(ownUnit(name))) {
    if (!hasPackageUnit(name)) return;
    throw new ServiceError(`A package has installed the service ${name}: remove the package`);
  }
  await stop(name);
  await systemctl(`disable ${name}`, "disable", unitName(name));
  await rm(ownUnit(name), { force: true });
  if (!isBooted()) return;
  await systemctl("read the units again", "daemon-reload");
  // A failed service would be listed until the next boot. There may be none to forget.
  await runSystemProgram(["systemctl", "reset-failed", unitName(name)]);
}

async function start(name: ServiceName): Promise<void> {
  requireSystemd();
  if (!isBooted())
    throw new ServiceError(`systemd does not run here: ${name} starts with the next boot of this system`);
  await systemctl(`start ${name}`, "start", unitName(name));
}

async function stop(name: ServiceName): Promise<void> {
  requireSystemd();
  if (isBooted()) await systemctl(`stop ${name}`, "stop", unitName(name));
}

const states: Readonly<Record<string, ServiceState>> = {
  active: "running",
  reloading: "running",
  activating: "starting",
  deactivating: "stopping",
  inactive: "stopped",
  failed: "failed",
};

/** Reads the output of `systemctl show`. */
export function statusIn(output: string): ServiceStatus {
  const values = new Map(
    output.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)] as const;
    }),
  );
  const startsAtBoot = values.get("UnitFileState") === "enabled";
  if (values.get("LoadState") === "not-found") return { state: "not-installed", startsAtBoot, pid: null };
  const pid = Number(values.get("MainPID") ?? 0);
  const state = states[values.get("ActiveState") ?? ""] ?? "unknown";
  return { state, startsAtBoot, pid: pid > 0 ? pid : null };
}

async function stateOf(name: ServiceName): Promise<ServiceStatus> {
  requireSystemd();
  if (isBooted()) {
    const properties = "LoadState,ActiveState,MainPID,UnitFileState";
    const words = ["show", unitName(name), `--property=${properties}`];
    return statusIn(await systemctl(`ask for ${name}`, ...words));
  }
  const isInstalled = existsSync(ownUnit(name)) || hasPackageUnit(name);
  if (!isInstalled) return { state: "not-installed", startsAtBoot: false, pid: null };
  const { stdout } = await runSystemProgram(["systemctl", "is-enabled", unitName(name)]);
  return { state: "stopped", startsAtBoot: stdout.trim() === "enabled", pid: null };
}

export const systemd: ServiceManager = {
  name: "systemd",
  keepsLog: true,
  isRunning: isBooted,
  dataFolderOf: (name) => (name === "flockcast-peer" ? "/var/lib/flockcast" : `/var/lib/${name}`),
  words: [],
  install,
  remove,
  start,
  stop,
  status: stateOf,
};
