/** Commands `task create`, `task list`, `task show` and `task cancel`. */
import * as v from "valibot";
import { formatRate, formatSize } from "../../model/quantity.ts";
import { targetSchema, type TaskDetail } from "../../api/schema/admin.ts";
import { taskIdSchema, type OriginBytes } from "../../api/schema/common.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type ConnectOptions } from "./connect.ts";
import { formatTime, print, printJson, printTable } from "./print.ts";
import { parseStartTime } from "./start-time.ts";

type TaskCreateOptions = ConnectOptions & {
  readonly action: "pre-cache" | "run";
  readonly command?: string | undefined;
  readonly run?: string | undefined;
  readonly setting?: string | undefined;
  readonly target: string;
  readonly start?: string | undefined;
};

export function parseTaskId(text: string): number {
  const parsed = v.safeParse(taskIdSchema, /^\d{1,15}$/.test(text) ? Number(text) : text);
  if (!parsed.success) throw new CommandError(`"${text}" is not a task id: task list shows them`, 2);
  return parsed.output;
}

export async function createTask(packageWords: string, options: TaskCreateOptions): Promise<void> {
  const target = v.safeParse(targetSchema, options.target);
  if (!target.success) {
    throw new CommandError(`"${options.target}" is not a target: ${target.issues[0].message}`, 2);
  }
  const { action, command, run } = options;
  if (action === "run" && !command?.trim() && run === undefined) {
    throw new CommandError('--action run needs --run NAME or --command "…"', 2);
  }
  if (command !== undefined && run !== undefined) {
    throw new CommandError(
      "--run names a command of the package, --command is one itself: give one of them",
      2,
    );
  }
  if (action === "pre-cache" && (command !== undefined || run !== undefined)) {
    throw new CommandError("--command and --run belong to --action run: pre-cache runs nothing", 2);
  }
  const { start } = options;
  const startAtMs = start === undefined ? null : usage(() => parseStartTime(start, Date.now()));
  const client = await connect(options);
  const taskId = await client.createTask({
    package: packageWords,
    action,
    command: command ?? null,
    run: run ?? null,
    setting: options.setting ?? null,
    target: target.output,
    startAtMs,
  });
  print(String(taskId));
}

export async function listTasks(options: ConnectOptions & { json?: boolean | undefined }): Promise<void> {
  const tasks = await (await connect(options)).tasks();
  if (options.json) return printJson(tasks);
  printTable(
    ["ID", "PACKAGE", "ACTION", "TARGET", "SETTING", "STATE", "START", "COMPLETE", "FAILED"],
    tasks.map((task) => [
      String(task.id),
      `${task.packageName}@${task.packageVersion}`,
      task.action,
      task.target,
      task.setting,
      task.state,
      formatTime(task.startAtMs),
      `${task.devices.complete}/${task.devices.total}`,
      String(task.devices.failed),
    ]),
  );
}

const percent = (part: number, whole: number): string =>
  whole === 0 ? "100 %" : `${Math.floor((part / whole) * 100)} %`;

const origins = (from: OriginBytes): string =>
  Object.entries(from)
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${formatSize(bytes)}`)
    .join(", ");

export async function showTask(
  id: string,
  options: ConnectOptions & { json?: boolean | undefined },
): Promise<void> {
  const taskId = parseTaskId(id);
  const task = await (await connect(options)).task(taskId);
  if (options.json) return printJson(task);
  printTaskHead(task);
  print("");
  printTable(
    ["SUBNET", "CIDR", "STATE", "REPRESENTATIVE", "COMPLETE", "FAILED", "VERIFIED", "WAN", "LAN"],
    task.subnets.map((subnet) => [
      subnet.subnetId ?? "-",
      subnet.cidr || "-",
      subnet.state,
      subnet.representative?.hostname ?? "-",
      `${subnet.complete}/${subnet.devices}`,
      String(subnet.failed),
      percent(subnet.bytesVerified, subnet.bytesTotal),
      formatSize(subnet.wanBytes),
      formatSize(subnet.lanBytes),
    ]),
  );
  print("");
  printWrongSenders(task);
  printTable(
    ["DEVICE", "HOST", "STATE", "ROLE", "VERIFIED", "RATE", "WAY", "FROM", "REASON"],
    task.deviceList.map((device) => [
      device.deviceId,
      device.hostname,
      device.state,
      device.role,
      percent(device.bytesVerified, device.bytesTotal),
      device.rateBps > 0 ? formatRate(device.rateBps) : "-",
      device.way === "none" ? "-" : device.way,
      origins(device.from) || "-",
      device.reason,
    ]),
  );
}

function printWrongSenders({ deviceList }: TaskDetail): void {
  const rows = deviceList.flatMap(({ hostname, wrongFrom }) =>
    wrongFrom.map(({ address, deviceId, chunks }) => [address, deviceId ?? "-", String(chunks), hostname]),
  );
  if (rows.length === 0) return;
  printTable(["WRONG CHUNKS FROM", "DEVICE", "CHUNKS", "SEEN BY"], rows);
  print("");
}

function printTaskHead(task: TaskDetail): void {
  const rows: [string, string][] = [
    ["task", String(task.id)],
    [
      "package",
      `${task.packageName} ${task.packageVersion}, ${formatSize(task.packageBytes)}, ${task.packageId}`,
    ],
    ["action", actionText(task)],
    ["target", task.target],
    ["setting", task.setting],
    ["state", task.state],
    ["start", formatTime(task.startAtMs)],
    ["devices", `${task.devices.complete} of ${task.devices.total} complete, ${task.devices.failed} failed`],
  ];
  for (const [key, value] of rows) print(`${key.padEnd(8)} ${value}`);
}

const actionText = ({ action, command, run }: TaskDetail): string =>
  [action, run ?? command].filter((part) => part !== null).join(": ");

export async function cancelTask(id: string, options: ConnectOptions): Promise<void> {
  const taskId = parseTaskId(id);
  await (await connect(options)).cancelTask(taskId);
}
