/** Commands `subnet list`, `subnet split`, `package list` and `package remove`. */
import { formatSize } from "../../model/quantity.ts";
import type { Subnet } from "../../api/schema/admin.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";

export async function listSubnets(options: ListOptions): Promise<void> {
  const subnets = await (await connect(options)).subnets();
  if (printedAs(options, subnets)) return;
  printTable(
    ["ID", "NAME", "SITE", "CIDR", "GATEWAY", "DEVICES", "CONNECTED", "ARRIVES BY"],
    subnets.map((one) => [
      one.id,
      one.name ?? "-",
      one.site ?? "-",
      one.cidr,
      [one.gateway, ...one.mergedGateways].join(" = "),
      String(one.devices),
      String(one.connected),
      one.ways.map(wayText).join(", ") || "-",
    ]),
  );
}

/** Returns "unicast 3 (wireless 2, not-heard 1)": devices, and the codes of docs/REASONS.md. */
function wayText({ way, devices, causes }: Subnet["ways"][number]): string {
  const codes = Object.entries(causes)
    .toSorted(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code} ${count}`);
  return `${way} ${devices}${codes.length === 0 ? "" : ` (${codes.join(", ")})`}`;
}

const fromText = (urls: readonly { url: string }[]): string =>
  urls.length === 0 ? "source" : urls[0]!.url + (urls.length > 1 ? ` and ${urls.length - 1} more` : "");

export async function splitSubnet(id: string, options: JsonOptions): Promise<void> {
  await (await connect(options)).splitSubnet(id);
  if (options.json) printJson({ subnetId: id });
}

export async function removePackage(words: string, options: JsonOptions): Promise<void> {
  const removed = await (await connect(options)).removePackage(words);
  if (options.json) return printJson(removed);
  print(`removed ${removed.name} ${removed.version}`);
}

export async function listPackages(options: ListOptions): Promise<void> {
  const packages = await (await connect(options)).packages();
  if (printedAs(options, packages)) return;
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
