/** Commands `device list`, `subnet list`, `subnet split`, `package list` and `package remove`. */
import { formatSize } from "../../model/quantity.ts";
import { connect, type ConnectOptions, type JsonOptions } from "./connect.ts";
import { formatTime, print, printJson, printTable } from "./print.ts";

export async function listDevices(options: JsonOptions): Promise<void> {
  const devices = await (await connect(options)).devices();
  if (options.json) return printJson(devices);
  printTable(
    ["ID", "HOST", "SUBNET", "ADDRESS", "CLASS", "MEDIUM", "GROUPS", "SETTING", "CONNECTED", "LAST SEEN"],
    devices.map((device) => {
      const active = device.inventory?.interfaces.find((one) => one.active);
      return [
        device.id,
        device.hostname,
        device.subnetId ?? "-",
        active?.address ?? "-",
        device.inventory?.deviceClass ?? "-",
        active?.medium ?? "-",
        device.inventory?.groups.join(",") || "-",
        device.setting,
        `${device.connected ? "yes" : "no"}${device.duplicate ? ", DUPLICATE" : ""}`,
        formatTime(device.lastSeenAtMs),
      ];
    }),
  );
}

export async function listSubnets(options: JsonOptions): Promise<void> {
  const subnets = await (await connect(options)).subnets();
  if (options.json) return printJson(subnets);
  printTable(
    ["ID", "CIDR", "SITE", "DEVICES", "CONNECTED"],
    subnets.map((one) => [
      one.id,
      one.cidr,
      [one.site, ...one.mergedSites].join(" = "),
      String(one.devices),
      String(one.connected),
    ]),
  );
}

const fromText = (urls: readonly { url: string }[]): string =>
  urls.length === 0 ? "source" : urls[0]!.url + (urls.length > 1 ? ` and ${urls.length - 1} more` : "");

export async function splitSubnet(id: string, options: ConnectOptions): Promise<void> {
  await (await connect(options)).splitSubnet(id);
}

export async function removePackage(words: string, options: JsonOptions): Promise<void> {
  const removed = await (await connect(options)).removePackage(words);
  if (options.json) return printJson(removed);
  print(`removed ${removed.name} ${removed.version}`);
}

export async function listPackages(options: JsonOptions): Promise<void> {
  const packages = await (await connect(options)).packages();
  if (options.json) return printJson(packages);
  printTable(
    ["ID", "NAME", "VERSION", "SIZE", "FILES", "STATE", "FROM", "PUBLISHED"],
    packages.map((one) => [
      one.id,
      one.name,
      one.version,
      formatSize(one.sizeBytes),
      String(one.fileCount),
      one.state,
      fromText(one.urls),
      formatTime(one.publishedAtMs),
    ]),
  );
}
