/** Command line of `device` and `package devices`. */
import type { Command } from "@commander-js/extra-typings";
import { jsonOption, csvOption, sourceOption, tokenOption } from "./options.ts";
import { importDevices } from "./imports.ts";
import { listDeviceCache, showDeviceHistory, showDeviceLog } from "./device-details.ts";
import {
  approveDevice,
  listDevices,
  listDeviceTasks,
  listPackageDevices,
  removeDevices,
  renameDevice,
  showDevice,
} from "./devices.ts";

/** Help of options that take a target. */
export const targetHelp = "all, names of devices, or an expression: 'os=windows and tag=b7 and site=Hamburg'";
const deviceHelp = "device id, host name or given name";

/** Adds `device`, and returns it: labels.ts adds commands of tags. */
export function addDevices(program: Command): Command {
  const device = program.command("device").description("enrolled devices");
  device
    .command("list")
    .description("all devices, or those of a filter, without removed ones")
    .option("--filter <target>", targetHelp)
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listDevices);
  device
    .command("show")
    .description("a device with its inventory and its last tasks; also a removed one, by its id")
    .argument("<device>", deviceHelp)
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(showDevice);
  device
    .command("tasks")
    .description("the tasks that a device reported, the last report first")
    .argument("<device>", deviceHelp)
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listDeviceTasks);
  addDeviceDetails(device as Command);
  addDeviceChanges(device as Command);
  return device as Command;
}

function addDeviceDetails(device: Command): void {
  device
    .command("history")
    .description("what happened to a device, the newest event first; check-ins are not listed")
    .argument("<device>", deviceHelp)
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(showDeviceHistory);
  device
    .command("cache")
    .description("the packages in the cache of a device with their sizes, as of its last check-in")
    .argument("<device>", deviceHelp)
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listDeviceCache);
  device
    .command("log")
    .description("ask a device for the last lines of its agent's log, and print them")
    .argument("<device>", deviceHelp)
    .option("--wait <duration>", "longest time to wait for the device (default: 60s)")
    .option("--last", "print the log that the source has, which it keeps for an hour; ask nothing")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(showDeviceLog);
}

function addDeviceChanges(device: Command): void {
  device
    .command("import")
    .description("give devices the tags and names of a file; a field that is missing stays")
    .argument("<file>", "CSV or JSON with id, and tags or name, as device list writes it; -: standard input")
    .option("--dry-run", "only print what would change")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(importDevices);
  device
    .command("rename")
    .description('give a device a name that lists show; "" takes it back')
    .argument("<device>", deviceHelp)
    .argument("<name>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(renameDevice);
  device
    .command("approve")
    .description("let the tags of a suspended device count again, and a waiting one get tasks")
    .argument("<device>", `${deviceHelp}, or the code on the screen of a machine that waits for an image`)
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(approveDevice);
  device
    .command("remove")
    .description("remove devices: their credentials are barred at once, and their agents stop")
    .argument("<device...>", deviceHelp)
    .option("--yes", "do not ask")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(removeDevices);
}

export function addPackageDevices(packages: Command): void {
  packages
    .command("devices")
    .description("devices that have a package in their cache, or ran a command of it")
    .argument("<package>", "package id, NAME (its highest version) or NAME@VERSION")
    .option("--lacking", "devices that neither have it nor ran it")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listPackageDevices);
}
