/**
 * The units and property lists of the packages and of docs/OPERATIONS.md. They are those of
 * `service install`; a unit of a package takes its options from a file in /etc/flockcast.
 */
import { launchdPlist } from "../../shared/platform/launchd-plist.ts";
import type { ServiceName, ServiceSpec } from "../../shared/platform/service.ts";
import { noCommandsUnit, systemdUnit } from "../../shared/platform/systemd-unit.ts";
import { agentService } from "../../shared/agent/program.ts";
import { sourceService } from "../../roles/source.ts";
import { sourcePort } from "./service-ports.ts";

type About = Omit<ServiceSpec, "command" | "files" | "dataFolder">;

const about: Readonly<Record<ServiceName, About>> = {
  "flockcast-peer": agentService,
  "flockcast-source": sourceService,
};
const dataFolders: Readonly<Record<ServiceName, string>> = {
  "flockcast-peer": "/var/lib/flockcast",
  "flockcast-source": "/var/lib/flockcast-source",
};

/** File of variables that the unit of a package reads. */
export const settingsFile = (name: ServiceName): string =>
  `/etc/flockcast/${name.replace("flockcast-", "")}.env`;

/** Returns the unit of a package. systemd splits the words of the last variable. */
export function packageUnit(name: ServiceName): string {
  const command = name === "flockcast-peer" ? "run" : "serve";
  const listen = name === "flockcast-peer" ? "" : " --listen ${FLOCKCAST_LISTEN}";
  return systemdUnit({
    ...about[name],
    dataFolder: dataFolders[name],
    commandLine: `/usr/bin/${name} ${command} --data ${dataFolders[name]}${listen} $FLOCKCAST_OPTIONS`,
    environmentFile: settingsFile(name),
    environment: name === "flockcast-peer" ? {} : { FLOCKCAST_LISTEN: `0.0.0.0:${sourcePort}` },
  });
}

const agentWords = "run --source https://source.example:7443 --enroll-file /var/lib/flockcast/enroll.token";
const sourceWords = "serve --listen 0.0.0.0:7443 --name source.example";

const documentUnit = (name: ServiceName, words: string): string =>
  systemdUnit({
    ...about[name],
    dataFolder: dataFolders[name],
    commandLine: `/usr/local/bin/${name} ${words} --data ${dataFolders[name]}`,
    environmentFile: null,
  });

/** Units of the documents: name of the file → text. */
export const documentUnits: ReadonlyMap<string, string> = new Map([
  ["flockcast-source.service", documentUnit("flockcast-source", sourceWords)],
  ["flockcast-peer.service", documentUnit("flockcast-peer", agentWords)],
  ["flockcast-peer.service.d/no-commands.conf", noCommandsUnit],
]);

const programFolder = "/usr/local/bin";
const agentFolder = "/Library/Application Support/flockcast";

/** Returns the property list of the macOS package. Its installer fills in the URL. */
export const packagePlist = (sourceUrl: string): string =>
  launchdPlist({
    ...agentService,
    command: [
      `${programFolder}/flockcast-peer`,
      "run",
      "--source",
      sourceUrl,
      "--enroll-file",
      `${agentFolder}/enroll.token`,
      "--data",
      agentFolder,
      "--log-file",
      `${agentFolder}/log/flockcast-peer.log`,
    ],
  });
