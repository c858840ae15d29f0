/**
 * Files of commands, `tasks/TASK.log` with the output and two about the process: bounds their
 * number and age. One log has at most 1.1 MiB (command-output.ts).
 */
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const logsMax = 100;
const ageMsMax = 90 * 86_400_000;
/** The newest files have no age limit: the device's clock may be wrong by years. */
const agelessLogs = 10;

/**
 * Removes the oldest files. A file that cannot be removed hinders no other.
 * @param nowMs wall clock
 */
export function removeOldLogs(folder: string, nowMs: number): void {
  const logs = namesIn(folder)
    .filter((name) => /^\d+\.log$/.test(name))
    .map((name) => ({ path: join(folder, name), taskId: Number.parseInt(name, 10), changedAtMs: 0 }));
  for (const log of logs) log.changedAtMs = statSync(log.path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newestFirst = logs.toSorted((a, b) => b.changedAtMs - a.changedAtMs || b.taskId - a.taskId);
  for (const [index, { taskId, changedAtMs }] of newestFirst.entries()) {
    const isOld = index >= agelessLogs && nowMs - changedAtMs > ageMsMax;
    if (index < logsMax && !isOld) continue;
    removeFiles(folder, taskId);
  }
}

/** Removes the files of tasks that the device does not list any more. */
export function removeLogsWithoutTask(folder: string, tasks: ReadonlyMap<number, unknown>): void {
  for (const name of namesIn(folder)) {
    const taskId = /^(\d+)\.log$/.exec(name)?.[1];
    if (taskId !== undefined && !tasks.has(Number(taskId))) removeFiles(folder, Number(taskId));
  }
}

function removeFiles(folder: string, taskId: number): void {
  try {
    for (const ending of ["log", "run", "status"])
      rmSync(join(folder, `${taskId}.${ending}`), { force: true });
  } catch {
    // On Windows a service that the command started may still write to it.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
