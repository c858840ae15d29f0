/** Commands `device list|show|tasks|rename|approve|remove` and `package devices`. */
import { createInterface } from "node:readline/promises";
import type { AdminClient } from "../../api/agent-client.ts";
import type { Device, DeviceTask } from "../../api/schema/device.ts";
import { approvalCodeText } from "../../model/approval-code-text.ts";
import { formatSize } from "../../model/quantity.ts";
import { reasonsText } from "../../model/reason.ts";
import { hostText } from "./host-text.ts";
import { CommandError } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";
import { parseTarget } from "./tasks.ts";

/** Tasks that `device show` lists; `device tasks` lists all. */
const shownTasks = 10;

type Seen = Pick<Device, "connected" | "lastSeenAtMs">;
const seenText = ({ connected, lastSeenAtMs }: Seen): string =>
  connected ? "now" : formatTime(lastSeenAtMs);

/** Returns the state of a device, and since when. */
function stateText({ state, stateSinceMs, removedWhy, takenOverAtMs, approvalCode }: Device): string {
  const since = stateSinceMs === null ? "" : ` since ${formatTime(stateSinceMs)}`;
  if (state === "removed") return `removed${removedWhy === "removed" ? "" : ` (${removedWhy})`}${since}`;
  if (state === "suspended") return `suspended${since}: device approve lets its tags count`;
  if (approvalCode !== null)
    return `waiting${since} for an image, with ${approvalCodeText(approvalCode)} on its screen: device approve ${approvalCodeText(approvalCode)}`;
  if (state === "waiting") return `waiting${since}: it gets no task until device approve`;
  return takenOverAtMs === null ? "active" : `active, installed again ${formatTime(takenOverAtMs)}`;
}

/** States in a list; `device approve` ends the first two. */
const listedStates: Readonly<Record<Device["state"], string>> = {
  waiting: "waiting for approval",
  suspended: "suspended, waiting for approval",
  active: "active",
  removed: "removed",
};
/** The code lets a person compare the list with the screens of machines. */
const listedState = ({ state, approvalCode, isImaging }: Device): string =>
  approvalCode !== null
    ? `waiting for approval of ${approvalCodeText(approvalCode)}`
    : `${listedStates[state]}${isImaging ? ", for an image only" : ""}`;

const enrolledWithText = ({ enrolledWith }: Device): string =>
  enrolledWith === null ? "" : ` with the token ${enrolledWith}`;

/** Adds the MAC address of the interface in use: rows of a CSV have no column for it otherwise. */
const withMac = (device: Device) => ({
  ...device,
  mac: device.inventory?.interfaces.find(({ active }) => active)?.mac ?? null,
});

type DeviceListOptions = ListOptions & { readonly filter?: string | undefined };

export async function listDevices(options: DeviceListOptions): Promise<void> {
  const filter = options.filter === undefined ? undefined : parseTarget(options.filter);
  const devices = await (await connect(options)).devices(filter);
  if (printedAs(options, devices.map(withMac))) return;
  printTable(
    "ID,HOST,SUBNET,SITE,ADDRESS,CLASS,MEDIUM,TAGS,WISHES,SETTING,AGENT,LAST SEEN,STATE".split(","),
    devices.map((device) => {
      const active = device.inventory?.interfaces.find((one) => one.active);
      return [
        device.id,
        hostText(device),
        device.subnetName ?? device.subnetId ?? "-",
        device.site ?? "-",
        active?.address ?? "-",
        device.inventory?.deviceClass ?? "-",
        active?.medium ?? "-",
        device.tags.join(",") || "-",
        device.wishes.join(",") || "-",
        device.setting,
        device.agentVersion,
        seenText(device),
        listedState(device),
      ];
    }),
  );
}

export async function showDevice(words: string, options: JsonOptions): Promise<void> {
  const client = await connect(options);
  const device = await client.device(words);
  const tasks = await client.deviceTasks(device.id, shownTasks);
  if (options.json) return printJson({ ...device, tasks: tasks.map(withSentence) });
  const rows: [string, string][] = [
    ["device", device.id],
    ["host", hostText(device)],
    ["state", stateText(device)],
    ...(device.isImaging ? [["for", "images only; removed afterwards"] as [string, string]] : []),
    ["credential", device.state === "removed" ? "barred" : "valid"],
    ["enrolled", `${formatTime(device.enrolledAtMs)}${enrolledWithText(device)}`],
    ["last seen", device.connected ? "now, connected" : formatTime(device.lastSeenAtMs)],
    ["agent", device.agentVersion],
    ["subnet", [device.subnetId ?? "none", device.subnetName ?? ""].join(" ").trim()],
    ["site", device.site ?? "none"],
    ["tags", device.tags.join(", ") || "none"],
    ["setting", device.setting],
    ["wishes", device.wishes.join(", ") || "none"],
    ...inventoryRows(device),
  ];
  for (const [key, value] of rows) print(`${key.padEnd(10)} ${value}`);
  if (tasks.length === 0) return;
  print("");
  printTasks(tasks);
  if (tasks.length === shownTasks) print(`device tasks ${device.id} lists all`);
}

function inventoryRows({ inventory }: Device): [string, string][] {
  if (inventory === null) return [["inventory", "none: the device has not checked in"]];
  return [
    ["system", `${inventory.os}, ${inventory.arch}, ${inventory.deviceClass}`],
    ["power", inventory.onBattery ? "battery" : "mains"],
    ["memory", formatSize(inventory.memoryBytes)],
    ["disk", `${formatSize(inventory.diskFreeBytes)} free, cache ${formatSize(inventory.cacheBytes)}`],
    ...inventory.interfaces.map((one): [string, string] => [
      one.active ? "interface" : "",
      `${one.name} ${one.cidr} ${one.mac} ${one.medium}${one.active ? "" : ", not used"}`,
    ]),
  ];
}

/** Adds the words of the reasons: a script that logs them needs no table. */
const withSentence = (task: DeviceTask) => ({ ...task, reason: reasonsText(task.reasons) });

function printTasks(tasks: readonly DeviceTask[]): void {
  printTable(
    ["TASK", "PACKAGE", "ACTION", "STATE", "REPORTED", "REASON"],
    tasks.map((task) => [
      String(task.taskId),
      `${task.packageName}@${task.packageVersion}`,
      [task.action, ...(task.runs === null ? [] : [task.runs])].join(": "),
      task.state,
      formatTime(task.updatedAtMs),
      reasonsText(task.reasons),
    ]),
  );
}

export async function listDeviceTasks(words: string, options: ListOptions): Promise<void> {
  const tasks = await (await connect(options)).deviceTasks(words);
  if (printedAs(options, tasks.map(withSentence))) return;
  if (tasks.length === 0) return print("the device has not reported a task");
  printTasks(tasks);
}

export async function renameDevice(words: string, name: string, options: JsonOptions): Promise<void> {
  const renamed = await (await connect(options)).renameDevice(words, name.trim() === "" ? null : name.trim());
  if (options.json) return printJson(renamed);
  print(`${renamed.id}: ${hostText(renamed)}`);
}

export async function approveDevice(words: string, options: JsonOptions): Promise<void> {
  const approved = await (await connect(options)).approveDevice(words);
  if (options.json) return printJson(approved);
  print(`${approved.id}: ${stateText(approved)}`);
}

type RemoveOptions = JsonOptions & { readonly yes?: true | undefined };

/** Finds every device before it removes one: a wrong word removes none. */
export async function removeDevices(words: readonly string[], options: RemoveOptions): Promise<void> {
  const client = await connect(options);
  const devices = await findKept(client, words);
  if (!options.yes) await confirm(devices);
  const removed = [];
  for (const { id } of devices) removed.push(await client.removeDevice(id));
  if (options.json) return printJson(removed);
  for (const { deviceId, hostname } of removed) print(`removed ${deviceId} ${hostname}`);
}

async function findKept(client: AdminClient, words: readonly string[]): Promise<Device[]> {
  const found = new Map<string, Device>();
  for (const one of words) {
    const device = await client.device(one);
    if (device.state === "removed")
      throw new CommandError(`Device ${device.id} (${device.hostname}) is removed already`);
    found.set(device.id, device);
  }
  return [...found.values()];
}

async function confirm(devices: readonly Device[]): Promise<void> {
  if (!process.stdin.isTTY)
    throw new CommandError("Nobody can answer the question whether to remove the devices: give --yes", 2);
  for (const device of devices) print(`${device.id} ${hostText(device)}, last seen ${seenText(device)}`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`Remove ${devices.length} of these devices, for good? [y/N] `);
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError("No device was removed");
}

type HolderOptions = ListOptions & { readonly lacking?: true | undefined };

export async function listPackageDevices(words: string, options: HolderOptions): Promise<void> {
  const answer = await (await connect(options)).packageDevices(words, options.lacking === true);
  if (options.json) return printJson(answer);
  if (printedAs(options, answer.devices)) return;
  printTable(
    ["ID", "HOST", "CACHE", "RUN", "LAST SEEN"],
    answer.devices.map((device) => [
      device.deviceId,
      hostText(device),
      device.cached ? "yes" : "no",
      device.run === null ? "-" : `${device.run} (task ${device.runTaskId})`,
      seenText(device),
    ]),
  );
}
