/**
 * Command `task watch`: shows a task until it is over, with two requests a second. Waits up to a
 * minute for a source that cannot be reached.
 *
 * Exit status: 0 when every targeted device is complete, or the share of `--until`; 1 when the task
 * is over otherwise, with the failed devices and their reasons; 3 when `--timeout` has passed, with
 * the devices that are not complete; 130 after Ctrl-C.
 */
import { SourceError, type AdminClient } from "../../api/agent-client.ts";
import type { TaskDetail } from "../../api/schema/admin.ts";
import { parseDurationMs } from "../../model/quantity.ts";
import { reasonsText } from "../../model/reason.ts";
import { hostText } from "./host-text.ts";
import { CommandError, usage } from "./command-error.ts";
import { drawsOn } from "../../terminal.ts";
import { printJsonLine, TerminalDrawing } from "../../standard-output.ts";
import { connect, type JsonOptions } from "./connect.ts";
import { formatTime, print } from "./print.ts";
import { parseTaskId } from "./tasks.ts";
import { absenceText, absentText, barLines, outcomeOf, PlainLines, RateWindow } from "./watch-view.ts";

const pollMs = 500;
const unreachableMaxMs = 60_000;

type Screen = { show(task: TaskDetail): void };

function terminalScreen(): Screen {
  const rates = new RateWindow();
  const drawing = new TerminalDrawing();
  return {
    show(task) {
      const { columns, rows } = process.stdout;
      drawing.show(barLines(task, rates.add(task.subnets, Date.now()), columns || 100, rows || 24));
    },
  };
}

function plainScreen(): Screen {
  const rates = new RateWindow();
  const plain = new PlainLines();
  return {
    show(task) {
      for (const line of plain.next(task, rates.add(task.subnets, Date.now()))) print(line);
    },
  };
}

/** Requests the task, and retries for a minute while the source cannot be reached. */
async function fetchTask(client: AdminClient, id: number): Promise<TaskDetail> {
  const sinceMs = Date.now();
  for (;;) {
    try {
      return await client.task(id, "failed");
    } catch (error) {
      const temporary = error instanceof SourceError && error.kind === "unreachable";
      if (!temporary || Date.now() - sinceMs > unreachableMaxMs) throw error;
      await Bun.sleep(pollMs * 2);
    }
  }
}

/** Prints the task when it has changed, for programs. */
function jsonScreen(): Screen {
  let shown = "";
  return {
    show(task) {
      const text = JSON.stringify(task);
      if (text !== shown) printJsonLine(task);
      shown = text;
    },
  };
}

type WatchOptions = JsonOptions & {
  readonly timeout?: string | undefined;
  readonly until?: string | undefined;
};

/** Devices that a watch lists when its time is over. */
const listedMax = 50;

/** Parses a share such as "95%". */
function parseShare(text: string): number {
  const found = /^(\d{1,3}(?:\.\d+)?)\s*%$/.exec(text);
  const share = found ? Number(found[1]) / 100 : 0;
  if (share <= 0 || share > 1) throw new Error(`"${text}" is not a share: write for example 95%`);
  return share;
}

export async function watchTask(id: string, options: WatchOptions): Promise<void> {
  const taskId = parseTaskId(id);
  const { timeout, until } = options;
  const untilShare = until === undefined ? 1 : usage(() => parseShare(until));
  const timeoutMs = timeout === undefined ? Infinity : usage(() => parseDurationMs(timeout));
  const endAtMs = performance.now() + timeoutMs;
  process.once("SIGINT", () => process.exit(130));
  const client = await connect(options);
  const screen = options.json ? jsonScreen() : drawsOn(process.stdout) ? terminalScreen() : plainScreen();
  // The first request is not retried: a wrong URL or id must be reported at once.
  let task = await client.task(taskId, "failed");
  for (;;) {
    screen.show(task);
    if (outcomeOf(task, untilShare) !== "going-on") break;
    if (performance.now() >= endAtMs) {
      const unfinished = await client.task(taskId, "unfinished");
      return giveUp(unfinished, timeout!, options.json === true);
    }
    await Bun.sleep(pollMs);
    task = await fetchTask(client, taskId);
  }
  finish(task, untilShare, options.json === true);
}

function giveUp(task: TaskDetail, timeout: string, asJson: boolean): never {
  const { total, complete } = task.devices;
  if (asJson) printJsonLine(task);
  else listUnfinished(task);
  throw new CommandError(
    `Task ${task.id} is ${task.state} after ${timeout}: ${complete} of ${total} devices complete`,
    3,
  );
}

function listUnfinished(task: TaskDetail): void {
  for (const device of task.deviceList.slice(0, listedMax)) {
    const { state, deviceId, reasons } = device;
    print(
      `${state} ${deviceId} ${hostText(device)}: ${absenceText(device, formatTime)}${reasonsText(reasons)}`,
    );
  }
  const left = task.deviceList.length - listedMax;
  if (left > 0) print(`and ${left} more devices: task show ${task.id}`);
}

function finish(task: TaskDetail, untilShare: number, asJson: boolean): void {
  const outcome = outcomeOf(task, untilShare);
  const { total, complete, rebootPending, failed } = task.devices;
  if (outcome === "complete" && asJson) return;
  if (outcome === "complete") {
    const succeeded = complete + rebootPending;
    const count = succeeded === total ? `all ${total}` : `${succeeded} of ${total}`;
    const reboots = rebootPending > 0 ? `, ${rebootPending} of them to be restarted` : "";
    const absent = absentText(task, formatTime);
    return print(`task ${task.id}: ${count} devices complete${reboots}${absent && `; ${absent}`}`);
  }
  for (const device of asJson ? [] : task.deviceList) {
    if (device.state === "failed")
      print(`failed ${device.deviceId} ${hostText(device)}: ${reasonsText(device.reasons)}`);
  }
  throw new CommandError(
    outcome === "cancelled" || outcome === "ended"
      ? `Task ${task.id} ${outcome === "ended" ? `ended (${task.endedWhy})` : "was cancelled"}: ${complete} of ${total} devices complete`
      : `Task ${task.id}: ${failed} of ${total} devices failed`,
  );
}
