/**
 * Command `task watch`: shows a task until it is over, with two requests a second. Waits up to a
 * minute for a source that cannot be reached.
 *
 * Exit status: 0 when every targeted device is complete, 1 with the failed devices and their
 * reasons otherwise, 130 after Ctrl-C.
 */
import { SourceError, type AdminClient } from "../../api/agent-client.ts";
import type { TaskDetail } from "../../api/schema/admin.ts";
import { printable } from "../../printable.ts";
import { CommandError } from "./command-error.ts";
import { connect, type ConnectOptions } from "./connect.ts";
import { print } from "./print.ts";
import { parseTaskId } from "./tasks.ts";
import { barLines, outcomeOf, PlainLines, RateWindow } from "./watch-view.ts";

const pollMs = 500;
const unreachableMaxMs = 60_000;

type Screen = { show(task: TaskDetail): void };

function terminalScreen(): Screen {
  const rates = new RateWindow();
  let shown = 0;
  return {
    show(task) {
      const { columns, rows } = process.stdout;
      const lines = barLines(task, rates.add(task.subnets, Date.now()), columns || 100, rows || 24);
      const up = shown > 0 ? `\u001B[${shown}A` : "";
      process.stdout.write(`${up}\u001B[J${lines.map(printable).join("\n")}\n`);
      shown = lines.length;
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

export async function watchTask(id: string, options: ConnectOptions): Promise<void> {
  const taskId = parseTaskId(id);
  process.once("SIGINT", () => process.exit(130));
  const client = await connect(options);
  const screen = process.stdout.isTTY ? terminalScreen() : plainScreen();
  // The first request is not retried: a wrong URL or id must be reported at once.
  let task = await client.task(taskId, "failed");
  for (;;) {
    screen.show(task);
    if (outcomeOf(task) !== "going-on") break;
    await Bun.sleep(pollMs);
    task = await fetchTask(client, taskId);
  }
  finish(task);
}

function finish(task: TaskDetail): void {
  const outcome = outcomeOf(task);
  const { total, complete, failed } = task.devices;
  if (outcome === "complete") return print(`task ${task.id}: all ${total} devices complete`);
  for (const device of task.deviceList) {
    if (device.state === "failed") print(`failed ${device.deviceId} ${device.hostname}: ${device.reason}`);
  }
  throw new CommandError(
    outcome === "cancelled"
      ? `Task ${task.id} was cancelled: ${complete} of ${total} devices complete`
      : `Task ${task.id}: ${failed} of ${total} devices failed`,
  );
}
