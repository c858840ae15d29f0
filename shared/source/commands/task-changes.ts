/**
 * Commands that change a task, or a part of it: `task edit`, `start-now`, `pause`, `resume`,
 * `cancel`, `retry`, `remove`; and `task output`.
 */
import type { TaskChanged } from "../../api/schema/admin.ts";
import { reasonsText } from "../../model/reason.ts";
import { hostText, isNamed } from "./host-text.ts";
import { CommandError } from "./command-error.ts";
import { connect, type JsonOptions } from "./connect.ts";
import { print, printJson } from "./print.ts";
import type { Asked, Wanted } from "./order-review.ts";
import { connectToSign, signIfNeeded, type SignOptions } from "./signing.ts";
import { printPreview } from "./task-preview.ts";
import {
  parsePrograms,
  parseSetting,
  parseStart,
  parseTarget,
  parseTaskId,
  parseTime,
  warnOfNobody,
} from "./tasks.ts";
import { printNote } from "../../standard-output.ts";

type EditOptions = JsonOptions &
  SignOptions & {
    readonly target?: string | undefined;
    readonly start?: string | undefined;
    readonly deadline?: string | undefined;
    readonly notWhile?: string | undefined;
    readonly expires?: string | undefined;
    readonly setting?: string | undefined;
    readonly wake?: boolean | undefined;
    readonly dryRun?: true | undefined;
  };

export async function editTask(id: string, options: EditOptions): Promise<void> {
  const taskId = parseTaskId(id);
  const { target, setting, deadline, notWhile, wake } = options;
  const expiresAtMs = parseTime(options.expires);
  const edit = {
    ...(target === undefined ? {} : { target: parseTarget(target) }),
    ...parseStart(options.start),
    ...(deadline === undefined ? {} : { deadlineAtMs: parseDeadline(deadline) }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(notWhile === undefined ? {} : { notWhile: parsePrograms(notWhile) }),
    ...(setting === undefined ? {} : { setting: parseSetting(setting) }),
    ...(wake === undefined ? {} : { wakes: wake }),
  };
  if (Object.keys(edit).length === 0)
    throw new CommandError(
      "Nothing to change: give --target, --start, --deadline, --expires, --not-while, --setting, --wake or --no-wake",
      2,
    );
  const client = await connectToSign(options);
  if (options.dryRun) return printPreview(await client.previewEdit(taskId, edit), options);
  const edited = await client.editTask(taskId, edit);
  tell(edited, options);
  // Waking is not a part of the order.
  const { wakes: _, ...wanted } = edit as typeof edit & { wakes?: boolean };
  if (!edited.isSigned) await signIfNeeded(client, subjectOf(taskId), options, changed(wanted));
}

/** `none` removes the deadline. */
const parseDeadline = (text: string): number | null => (text === "none" ? null : parseTime(text)!);

const changed = (wanted: Wanted): Asked => ({ kind: "changed", wantedOf: () => wanted });

const subjectOf = (taskId: number) => ({ kind: "task", subject: String(taskId) }) as const;

/** Starts a task at once: its order gets another start. */
export async function startTask(id: string, options: JsonOptions & SignOptions): Promise<void> {
  const taskId = parseTaskId(id);
  const client = await connectToSign(options);
  const answer = await client.changeTask(taskId, "start-now");
  if (options.json) printJson(answer);
  else print(lineOf(answer));
  if (answer.isSigned) return;
  const start = { startAtMs: undefined, startIsLocal: false };
  await signIfNeeded(client, subjectOf(taskId), options, changed(start));
}

/** Returns the command that makes one change without options. */
export const changeTask =
  (change: "cancel" | "kill" | "pause" | "resume") =>
  async (id: string, options: JsonOptions): Promise<void> => {
    const taskId = parseTaskId(id);
    const answer = await (await connect(options)).changeTask(taskId, change);
    if (options.json) return printJson(answer);
    print(lineOf(answer));
  };

/** Cancels a task; `--kill` ends its running commands, which otherwise continue. */
export const cancelTask = (id: string, options: JsonOptions & { kill?: true }): Promise<void> =>
  changeTask(options.kill ? "kill" : "cancel")(id, options);

function tell(answer: TaskChanged, options: JsonOptions): void {
  if (options.json) printJson(answer);
  else print(lineOf(answer));
  warnOfNobody(answer);
}

const devicesText = (count: number): string => `${count} ${count === 1 ? "device" : "devices"}`;
const lineOf = ({ taskId, state, version, devices }: TaskChanged): string =>
  `task ${taskId}: ${state}, version ${version}, ${devicesText(devices)}`;

export async function retryTask(id: string, options: JsonOptions & SignOptions): Promise<void> {
  const taskId = parseTaskId(id);
  const client = await connectToSign(options);
  const answer = await client.retryTask(taskId);
  if (options.json) printJson(answer);
  else print(`task ${taskId}: repeated on ${devicesText(answer.retried.length)}`);
  if (!answer.isSigned) await signIfNeeded(client, subjectOf(taskId), options, changed({}));
}

export async function removeTask(id: string, options: JsonOptions): Promise<void> {
  const taskId = parseTaskId(id);
  await (await connect(options)).removeTask(taskId);
  if (options.json) return printJson({ taskId });
  print(`task ${taskId}: removed`);
}

/** Returns the lines of an output, also of Windows. */
const linesOf = (output: string): string[] => output.replace(/\r?\n$/, "").split(/\r?\n/);

/** Prints the end of a command's output, as the device reported it. */
export async function showOutput(id: string, device: string, options: JsonOptions): Promise<void> {
  const taskId = parseTaskId(id);
  const { deviceList } = await (await connect(options)).task(taskId);
  const found = deviceList.filter((one) => isNamed(one, device));
  const [row] = found;
  if (row === undefined)
    throw new CommandError(`Task ${taskId} has no device "${device}": task show ${taskId} lists them`);
  if (found.length > 1)
    throw new CommandError(
      `${found.length} devices are named "${device}": give one of ${found.map(({ deviceId }) => deviceId).join(", ")}`,
    );
  const { command } = row;
  if (options.json) return printJson(command);
  if (command === null)
    throw new CommandError(`${device} has not reported a command that ended: ${reasonsText(row.reasons)}`);
  for (const line of linesOf(command.outputTail)) print(line);
  const how = command.timedOut
    ? "killed at its time limit"
    : `exit code ${command.exitCode ?? "none (killed)"}`;
  printNote(`${hostText(row)}: ${how}`);
}
