/** Output of `--dry-run`: who would be targeted, and the WAN bytes that it would cost. */
import type { TaskPreview } from "../../api/schema/labels.ts";
import { formatSize } from "../../model/quantity.ts";
import type { JsonOptions } from "./connect.ts";
import { print, printJson, printTable } from "./print.ts";
import { printNote } from "../../standard-output.ts";

/** Devices that the table lists. */
const listedMax = 50;

export function printPreview(preview: TaskPreview, options: JsonOptions): void {
  if (options.json) printJson(preview);
  else printTables(preview);
  warn(preview.warnings);
  if (preview.devices === 0) warn(["no device matches the target"]);
}

/** Prints warnings on standard error. */
export function warn(warnings: readonly string[]): void {
  for (const warning of warnings) printNote(`warning: ${warning}`);
}

function printTables(preview: TaskPreview): void {
  const { packageName, packageVersion, packageBytes, taskId, devices, added, dropped } = preview;
  print(`package  ${packageName} ${packageVersion}, ${formatSize(packageBytes)}`);
  print(`target   ${preview.target}`);
  print(`devices  ${devices}${taskId === null ? "" : `, ${added} new, ${dropped} drop the task`}`);
  const sum = preview.packageWanBytes + preview.manifestWanBytes;
  print(`WAN      ${formatSize(sum)}, of which ${formatSize(preview.manifestWanBytes)} are manifests`);
  print("");
  printTable(
    ["SUBNET", "NAME", "SITE", "CIDR", "DEVICES", "CONNECTED", "HOLD IT", "WAN"],
    preview.subnets.map((subnet) => [
      subnet.subnetId ?? "-",
      subnet.name ?? "-",
      subnet.site ?? "-",
      subnet.cidr || "-",
      String(subnet.devices),
      String(subnet.connected),
      String(subnet.holding),
      formatSize(subnet.packageWanBytes + subnet.manifestWanBytes),
    ]),
  );
  print("");
  printTable(
    ["DEVICE", "HOST", "SUBNET", "CONNECTED", "HOLDS IT"],
    preview.deviceList
      .slice(0, listedMax)
      .map(({ deviceId, hostname, subnetId, connected, holds }) => [
        deviceId,
        hostname,
        subnetId ?? "-",
        connected ? "yes" : "no",
        holds ? "yes" : "no",
      ]),
  );
  const left = devices - Math.min(listedMax, preview.deviceList.length);
  if (left > 0) print(`and ${left} more devices`);
}
