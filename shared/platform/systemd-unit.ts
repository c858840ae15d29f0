/**
 * Texts of the systemd units, for `service install`, the packages and docs/OPERATIONS.md. The agent
 * runs commands of tasks, which are installers: its unit restricts nearly nothing. The source
 * writes its data folder only.
 */
import { takeoverVariables } from "./takeover-variables.ts";
import type { ServiceSpec } from "./service.ts";

/** A service, with the parts that only a unit has. */
export type UnitSpec = Omit<ServiceSpec, "command" | "files"> & {
  /** Value of `ExecStart`, quoted already. */
  readonly commandLine: string;
  /** File of variables that may be missing; null: none. */
  readonly environmentFile: string | null;
  /** Variables that the file may replace. */
  readonly environment?: Readonly<Record<string, string>>;
};

/** Directives that confine a program which starts no installers. */
const confinement = [
  "NoNewPrivileges=yes",
  "CapabilityBoundingSet=",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
  "ProtectControlGroups=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "SystemCallArchitectures=native",
] as const;

/** Directives of the source only: it needs no device, no clock and no other process. */
const sourceConfinement = [
  "PrivateDevices=yes",
  "ProtectClock=yes",
  "ProtectHostname=yes",
  "ProtectProc=invisible",
  "RemoveIPC=yes",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
] as const;

/** Drop-in for devices that only fill caches. */
export const noCommandsUnit = `[Service]\n${confinement.join("\n")}\n`;

const stateRoot = "/var/lib/";
const clearedPerLine = 5;

/** Variables that the unit clears, a few in each line. */
function clearedLines(): string[] {
  const all = [
    ...[...takeoverVariables].toSorted(),
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
  ];
  const lines: string[] = [];
  for (let at = 0; at < all.length; at += clearedPerLine)
    lines.push(`UnsetEnvironment=${all.slice(at, at + clearedPerLine).join(" ")}`);
  return lines;
}

/** A folder below /var/lib is made by systemd, with its owner; another one has to be there. */
const folderLines = ({ dataFolder, user }: UnitSpec): string[] => {
  if (dataFolder.startsWith(stateRoot) && !dataFolder.includes(" "))
    return [`StateDirectory=${dataFolder.slice(stateRoot.length)}`, "StateDirectoryMode=0700"];
  return user === null ? [] : [`ReadWritePaths=${quoteWord(dataFolder)}`];
};

/** Quotes a word of a directive as systemd.syntax(7) and systemd.service(5) ask for. */
export function quoteWord(word: string): string {
  const text = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[\w./:@%$+=,-]+$/.test(text)) return text;
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', String.raw`\"`)}"`;
}

/**
 * Returns the text of a unit.
 *
 * `RestartSec` is above the interval of systemd's start limit divided by its count, so a source that
 * cannot be reached for a day does not end the attempts.
 */
export function systemdUnit(spec: UnitSpec): string {
  const { description, commandLine, environmentFile, user, finalStatuses, keepsChildren } = spec;
  const lines = [
    "[Unit]",
    `Description=${description}`,
    "Wants=network-online.target",
    "After=network-online.target",
    "",
    "[Service]",
    ...Object.entries(spec.environment ?? {}).map(([name, value]) => `Environment=${name}=${value}`),
    ...(environmentFile === null ? [] : [`EnvironmentFile=-${environmentFile}`]),
    `ExecStart=${commandLine}`,
    ...(user === null ? [] : [`User=${user}`]),
    "WorkingDirectory=/",
    ...folderLines(spec),
    ...(user === null ? [] : ["UMask=0077"]),
    ...clearedLines(),
    "LimitCORE=0",
    "Restart=always",
    "RestartSec=5",
    `RestartPreventExitStatus=${finalStatuses.join(" ")}`,
    "TimeoutStopSec=15",
    // A command of a task continues, and one that the kernel ends for its memory ends alone.
    ...(keepsChildren ? ["KillMode=process", "OOMPolicy=continue"] : []),
    ...(user === null ? [] : [...confinement, ...sourceConfinement]),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ];
  return `${lines.join("\n")}\n`;
}
