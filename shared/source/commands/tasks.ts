/** Commands `task create`, `task list` and `task show`. */
import * as v from "valibot";
import { imageOrderText } from "../../model/image-order.ts";
import { formatRate, formatSize } from "../../model/quantity.ts";
import { reasonsText } from "../../model/reason.ts";
import type { AdminClient } from "../../api/agent-client.ts";
import type { TaskChanged, TaskDetail, TaskSummary } from "../../api/schema/admin.ts";
import { targetSchema } from "../../api/schema/labels.ts";
import { programNamesSchema, taskIdSchema, type OriginBytes } from "../../api/schema/common.ts";
import { noSettingWord } from "../../api/schema/settings.ts";
import type { TaskStart } from "../../model/task-life.ts";
import { deviceZone } from "../../model/time-zone.ts";
import { hostText } from "./host-text.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";
import { hasPassed, parsePointInTime, parseStartTime } from "./start-time.ts";
import { verifiedOrder } from "./order-review.ts";
import { connectToSign, operatorKeyFiles, signIfNeeded, trustOf, type SignOptions } from "./signing.ts";
import { checkCommand, imageOf, type TaskCreateOptions } from "./task-create-options.ts";
import { printPreview, warn } from "./task-preview.ts";
import { absenceText, absentText } from "./watch-view.ts";
import { printNote } from "../../standard-output.ts";

export function parseTaskId(text: string): number {
  const parsed = v.safeParse(taskIdSchema, /^\d{1,15}$/.test(text) ? Number(text) : text);
  if (!parsed.success) throw new CommandError(`"${text}" is not a task id: task list shows them`, 2);
  return parsed.output;
}

/** @throws CommandError with exit status 2 for another form */
export function parseTarget(text: string): string {
  const target = v.safeParse(targetSchema, text);
  if (target.success) return target.output;
  throw new CommandError(`"${text.slice(0, 80)}" is not a target: ${target.issues[0].message}`, 2);
}

/** @throws CommandError with exit status 2 for another form than `--expires` takes */
export const parseTime = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : usage(() => parsePointInTime(text, Date.now()));

/**
 * Warns on standard error of a start that has passed.
 * @throws CommandError with exit status 2 for another form than `--start` takes
 */
export function parseStart(text: string | undefined): TaskStart | undefined {
  if (text === undefined) return undefined;
  const nowMs = Date.now();
  const start = usage(() => parseStartTime(text, nowMs, deviceZone));
  if (hasPassed(start, nowMs, deviceZone)) {
    const which = start.startIsLocal ? "devices whose clock has reached it" : "devices";
    printNote(`warning: the start ${startText(start)} has passed: ${which} begin at once`);
  }
  return start;
}

/** Returns the setting of a task; `none`: each device's own one. */
export const parseSetting = (text: string): string | null => (text === noSettingWord ? null : text);

/**
 * Parses names of programs, separated by commas; `none` and undefined are none.
 * @throws CommandError with exit status 2 for a name with a folder
 */
export function parsePrograms(text: string | undefined): string[] {
  if (text === undefined || text === "none") return [];
  const names = v.safeParse(
    programNamesSchema,
    text.split(",").map((part) => part.trim()),
  );
  if (names.success) return names.output;
  const [issue] = names.issues;
  const what = typeof issue.input === "string" ? issue.input : text;
  const why = issue.type === "min_length" ? "a name is empty" : issue.message;
  throw new CommandError(`"${what}" is not a list of programs: ${why}`, 2);
}

export async function createTask(words: string | undefined, options: TaskCreateOptions): Promise<void> {
  const { from, command, run, setting, allowDowngrade } = options;
  if (from === undefined && words === undefined)
    throw new CommandError("Name a package, or a task with --from", 2);
  if (from === undefined && options.action === undefined)
    throw new CommandError("Give --action pre-cache, --action run, --action upgrade or --action image", 2);
  checkCommand(options);
  const fromId = from === undefined ? null : parseTaskId(from);
  const target = options.target === undefined ? undefined : parseTarget(options.target);
  const start = parseStart(options.start) ?? { startAtMs: null };
  const deadlineAtMs = parseTime(options.deadline) ?? null;
  const expiresAtMs = parseTime(options.expires) ?? null;
  const programs = options.notWhile === undefined ? null : parsePrograms(options.notWhile);
  const client = await connectToSign(options);
  const model = fromId === null ? null : await modelOf(client, fromId, options);
  const keepsAction = model?.action === "image" || (command === undefined && run === undefined);
  const action = options.action ?? (keepsAction ? model!.action : "run");
  const takesCommand = action === "run" || (action === "image" && model !== null);
  const isModelCommand = takesCommand && command === undefined && run === undefined;
  const task = {
    package: words ?? model!.packageId,
    action,
    command: command ?? (isModelCommand ? model!.command : null),
    run: run ?? (isModelCommand ? model!.run : null),
    setting: setting === undefined ? (model?.setting ?? null) : parseSetting(setting),
    target: target ?? model?.target ?? "all",
    ...start,
    deadlineAtMs,
    notWhile: programs ?? (action === "run" && model !== null ? model.notWhile : []),
    expiresAtMs,
    allowDowngrade: allowDowngrade ?? model?.allowDowngrade ?? false,
    after: options.after === undefined ? (model?.after ?? null) : parseTaskId(options.after),
    image: imageOf(action, options, model?.image ?? null),
    wakes: options.wake ?? model?.wakes ?? false,
  };
  if (options.dryRun) return printPreview(await client.previewTask(task), options);
  const created = await client.createTask(task);
  if (options.json) printJson(created);
  else print(String(created.taskId));
  warnOfNobody(created);
  if (created.isSigned) return;
  // Waking is not a part of the order.
  const { package: packageWords, wakes: _, ...given } = task;
  const wanted = {
    startIsLocal: false,
    ...given,
    // Undefined: the source chooses.
    startAtMs: task.startAtMs ?? undefined,
    expiresAtMs: expiresAtMs ?? undefined,
  };
  const asked = { kind: "new", wanted, package: packageWords } as const;
  await signIfNeeded(client, { kind: "task", subject: String(created.taskId) }, options, asked);
}

/**
 * Returns the task of `--from`. What an operator's key will sign comes from its order, which
 * operators signed, not from the source.
 */
async function modelOf(client: AdminClient, taskId: number, options: SignOptions): Promise<TaskDetail> {
  const model = await client.task(taskId, "failed");
  if (operatorKeyFiles(options).length === 0) return model;
  const subject = { kind: "task", subject: String(taskId) } as const;
  const order = verifiedOrder(await trustOf(client), subject, await client.orderOf(subject));
  if (order !== null) return { ...model, ...order } as TaskDetail;
  throw new CommandError(
    `Task ${taskId} has no valid order to take the rest from: create the task without --from`,
  );
}

/** Tells on standard error that a target matches no device, or names what nothing has. */
export function warnOfNobody({ taskId, devices, warnings }: TaskChanged): void {
  warn(warnings);
  if (devices > 0) return;
  printNote(
    `warning: no device matches the target of task ${taskId} yet: task edit ${taskId} --target changes it`,
  );
}

export async function listTasks(options: ListOptions): Promise<void> {
  const tasks = await (await connect(options)).tasks();
  if (printedAs(options, tasks)) return;
  printTable(
    "ID PACKAGE ACTION TARGET SETTING STATE START COMPLETE REBOOT FAILED SUPERSEDED".split(" "),
    tasks.map((task) => [
      String(task.id),
      `${task.packageName}@${task.packageVersion}`,
      task.action,
      shortened(task.target),
      task.setting ?? "-",
      stateText(task),
      startText(task),
      `${task.devices.complete}/${task.devices.total}`,
      String(task.devices.rebootPending),
      String(task.devices.failed),
      String(task.devices.superseded),
    ]),
  );
}

/** Longest target that a list shows; `task show` has all of it. */
const shownTargetMax = 48;
const shortened = (target: string): string =>
  target.length <= shownTargetMax ? target : `${target.slice(0, shownTargetMax - 1)}…`;

const stateText = ({ state, endedWhy, isSigned }: TaskSummary): string =>
  [state === "ended" ? `ended: ${endedWhy}` : state, ...(isSigned ? [] : ["not signed"])].join(", ");

const percent = (part: number, whole: number): string =>
  whole === 0 ? "100 %" : `${Math.floor((part / whole) * 100)} %`;

const origins = (from: OriginBytes): string =>
  Object.entries(from)
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${formatSize(bytes)}`)
    .join(", ");

export async function showTask(id: string, options: JsonOptions): Promise<void> {
  const taskId = parseTaskId(id);
  const task = await (await connect(options)).task(taskId);
  if (options.json) return printJson(withSentences(task));
  printTaskHead(task);
  print("");
  printTable(
    [
      "SUBNET",
      "NAME",
      "SITE",
      "CIDR",
      "STATE",
      "REPRESENTATIVE",
      "COMPLETE",
      "FAILED",
      "VERIFIED",
      "WAN",
      "LAN",
    ],
    task.subnets.map((subnet) => [
      subnet.subnetId ?? "-",
      subnet.name ?? "-",
      subnet.site ?? "-",
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
      hostText(device),
      device.state,
      device.role,
      percent(device.bytesVerified, device.bytesTotal),
      device.rateBps > 0 ? formatRate(device.rateBps) : "-",
      device.way === "none" ? "-" : device.way,
      origins(device.from) || "-",
      absenceText(device, formatTime) + reasonsText(device.reasons),
    ]),
  );
  printAbsent(task);
}

/** Devices that an answer names; the head of the task has the number of all. */
const absentShown = 20;

function printAbsent({ absentList }: TaskDetail): void {
  if (absentList.length === 0) return;
  print("");
  printTable(
    ["NOT COUNTED", "HOST", "NOT SEEN SINCE"],
    absentList
      .slice(0, absentShown)
      .map(({ deviceId, hostname, lastSeenAtMs }) => [deviceId, hostname, formatTime(lastSeenAtMs)]),
  );
  if (absentList.length > absentShown) print("and more: --json lists them");
}

/** Adds the words of the reasons: a script that logs them needs no table. */
const withSentences = (task: TaskDetail) => ({
  ...task,
  deviceList: task.deviceList.map((device) =>
    Object.assign({}, device, { reason: reasonsText(device.reasons) }),
  ),
});

function printWrongSenders({ deviceList }: TaskDetail): void {
  const accused = deviceList.flatMap(({ hostname, wrongFrom }) =>
    wrongFrom.map((sender) => Object.assign({}, sender, { hostname })),
  );
  if (accused.length === 0) return;
  const received = deviceList.filter(({ bytesVerified }) => bytesVerified > 0).length;
  const bySender = Map.groupBy(accused, ({ address, deviceId }) => `${address} ${deviceId}`);
  const rows = accused.map(({ address, deviceId, chunks, hostname }) => {
    // One device may accuse another one wrongly.
    const agree = bySender.get(`${address} ${deviceId}`)!.length;
    return [address, deviceId ?? "-", String(chunks), hostname, `${agree} of ${received} devices`];
  });
  printTable(["WRONG CHUNKS FROM", "DEVICE", "CHUNKS", "SEEN BY", "STATED BY"], rows);
  print("");
}

function printTaskHead(task: TaskDetail): void {
  const rows: (readonly [string, string])[] = [
    ["task", String(task.id)],
    [
      "package",
      `${task.packageName} ${task.packageVersion}, ${formatSize(task.packageBytes)}, ${task.packageId}`,
    ],
    ["action", actionText(task)],
    ...(task.image === null ? [] : [["disk", imageOrderText(task.image)] as [string, string]]),
    ["target", task.target],
    ["setting", task.setting ?? "each device's own"],
    ["state", `${stateText(task)}, version ${task.version}`],
    ...(task.isSigned
      ? []
      : [["order", "not signed, no device obeys it: trust sign --all --operator-key FILE"] as const]),
    ["start", startText(task)],
    ...(task.deadlineAtMs === null ? [] : [["deadline", formatTime(task.deadlineAtMs)] as [string, string]]),
    ["expires", formatTime(task.expiresAtMs)],
    ...(task.notWhile.length === 0 ? [] : [["not while", task.notWhile.join(", ")] as [string, string]]),
    ...(task.wakes ? [["wakes", `sleeping devices: task wakes ${task.id}`] as [string, string]] : []),
    ["devices", countsText(task)],
  ];
  for (const [key, value] of rows) print(`${key.padEnd(9)} ${value}`);
}

/** Returns the start in the administrator's time zone, or on each device's clock. */
const startText = ({ startAtMs, startIsLocal }: TaskStart): string =>
  startIsLocal
    ? `${new Date(startAtMs).toISOString().slice(0, 16).replace("T", " ")} at each device`
    : formatTime(startAtMs);

function countsText(task: TaskDetail): string {
  const { total, complete, rebootPending, failed, absent: _, ...others } = task.devices;
  return [
    `${complete} of ${total} complete`,
    ...(rebootPending > 0 ? [`${rebootPending} to be restarted`] : []),
    `${failed} failed`,
    ...Object.entries(others).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : [])),
    ...(task.absentSinceMs === null ? [] : [absentText(task, formatTime)]),
  ].join(", ");
}

const actionText = ({ action, command, run }: TaskDetail): string =>
  [action, run ?? command].filter((part) => part !== null).join(": ");
