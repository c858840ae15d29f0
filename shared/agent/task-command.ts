/**
 * Runs the command of a task in the package's folder, with a time limit and its output in a file
 * (command-output.ts).
 *
 * The command is the administrator's text and is passed to the system's shell unchanged. It has a
 * session of its own and continues when the agent ends. Two files tell the next process of the
 * agent about it: ID.run names the process, ID.status has its exit status. What an exit code means
 * is decided in `device/command-outcome.ts`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { CommandEnd, CommandRequest, CommandRun, Commands } from "../device/ports.ts";
import { platform, type ProcessTree } from "../platform/index.ts";
import { writePrivateFileNow } from "../platform/private-files.ts";
import { CommandOutput } from "./command-output.ts";
import { startableLine } from "./noexec.ts";
import { removeOldLogs } from "./task-logs.ts";

const outputTailBytes = 4_096;
/** Time between SIGTERM and SIGKILL. */
const killGraceMs = 2_000;
/** Interval at which an adopted command is looked at: it is not a child of this process. */
const adoptedPollMs = 200;

/**
 * Content of ID.run. `identity`: of the task, missing in files of earlier versions. `limitAtMs`:
 * wall time at which the command is ended.
 */
const startedSchema = v.object({
  key: v.string(),
  identity: v.optional(v.string()),
  pid: v.pipe(v.number(), v.integer(), v.minValue(2)),
  start: v.nullable(v.string()),
  limitAtMs: v.number(),
});
type Started = v.InferOutput<typeof startedSchema>;

/** @param folder for the files of commands */
export const commandsIn = (folder: string): Commands => ({
  os: platform.os,
  run: (request) => runCommand(request, folder),
  adopt: (request) => adoptCommand(request, folder),
  hasTrace: (taskId, identity) => {
    const files = filesOf(taskId, folder);
    return Object.values(files).some((path) => existsSync(path)) && isOf(identity, startedIn(files.run));
  },
  bootId: platform.bootId,
});

/**
 * Runs the command until it exits, its time limit passes or `request.signal` is aborted.
 * @param folder for the files of commands; ID.log has standard output and error together
 * @throws Error when the command cannot be started
 */
export async function runCommand(request: CommandRequest, folder: string): Promise<CommandEnd> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  removeOldLogs(folder, Date.now());
  const { log, run, status } = filesOf(request.taskId, folder);
  for (const path of [run, status]) rmSync(path, { force: true });
  const line = startableLine(request.command, request.folder);
  const output = new CommandOutput(log, "new");
  let exitCode: number | null = null;
  let end: Ended | null = null;
  let tail = "";
  try {
    const { pid, tree, exited } = platform.startCommand({
      line,
      shell: request.shell,
      folder: request.folder,
      environment: request.environment,
      status: { path: status, key: request.key },
      outputPath: log,
    });
    end = await endOf(tree, request.timeoutMs, request.signal, async () => {
      const limitAtMs = Date.now() + request.timeoutMs;
      const start = await platform.processStart(pid);
      noteStarted(run, { key: request.key, identity: request.identity, pid, start, limitAtMs });
      exitCode = await exited;
    });
  } finally {
    tail = output.close(outputTailBytes);
  }
  return { exitCode, timedOut: end.timedOut, outputTail: tail };
}

/**
 * Waits for a command that an earlier process of the agent started.
 * @returns null when its outcome is unknown
 */
export async function adoptCommand(request: CommandRun, folder: string): Promise<CommandEnd | null> {
  const { log, run, status } = filesOf(request.taskId, folder);
  const found = startedIn(run);
  const started = isOf(request.identity, found) ? found : null;
  // Without a key the last run counts, unless it only looked whether the package is there.
  const key = request.key ?? (started?.key.startsWith("run ") ? started.key : "");
  const isOwn = started?.key === key && started.start !== null;
  const output = new CommandOutput(log, "resumed");
  let end: Ended | null = null;
  let tail = "";
  try {
    if (isOwn && (await platform.processStart(started.pid)) === started.start) {
      const leftMs = Math.min(request.timeoutMs, Math.max(0, started.limitAtMs - Date.now()));
      end = await endOf(platform.processTree(started.pid), leftMs, request.signal, async () => {
        while ((await platform.processStart(started.pid)) === started.start) await Bun.sleep(adoptedPollMs);
      });
    }
  } finally {
    tail = output.close(outputTailBytes);
  }
  const exitCode = statusIn(status, key);
  if (exitCode === null && end?.wasEnded !== true) return null;
  return { exitCode, timedOut: end?.timedOut ?? false, outputTail: tail };
}

/** `wasEnded`: by its time limit or by the signal. */
type Ended = { readonly timedOut: boolean; readonly wasEnded: boolean };

/** Waits for the end of a command, which it ends at the time limit and when `signal` is aborted. */
async function endOf(
  tree: ProcessTree,
  timeoutMs: number,
  signal: AbortSignal,
  exited: () => Promise<void>,
): Promise<Ended> {
  let timedOut = false;
  const stop = (): void => stopTree(tree);
  const limit = setTimeout(() => {
    timedOut = true;
    stop();
  }, timeoutMs);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await exited();
  } finally {
    clearTimeout(limit);
    signal.removeEventListener("abort", stop);
    tree.close();
  }
  return { timedOut, wasEnded: timedOut || signal.aborted };
}

function filesOf(taskId: number, folder: string): { log: string; run: string; status: string } {
  const path = (ending: string): string => join(folder, `${taskId}.${ending}`);
  return { log: path("log"), run: path("run"), status: path("status") };
}

/** Whether a run may be one of the task: an unknown run, or one of an earlier version, may be. */
const isOf = (identity: string, started: Started | null): boolean =>
  (started?.identity ?? identity) === identity;

function noteStarted(path: string, started: Started): void {
  try {
    writePrivateFileNow(path, JSON.stringify(started));
  } catch {
    // A full disk: only a later process of the agent would need the file.
  }
}

function startedIn(path: string): Started | null {
  try {
    const parsed = v.safeParse(startedSchema, JSON.parse(readFileSync(path, "utf8")));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

/** Returns the exit status that the shell stored for the run; null: none, or half a line. */
function statusIn(path: string, key: string): number | null {
  try {
    const text = readFileSync(path, "utf8");
    const rest = text.startsWith(`${key} `) ? text.slice(key.length + 1) : "";
    // Exit codes of Windows have 32 bits.
    const code = /^(-?\d{1,10})\r?\n$/.exec(rest)?.[1];
    return code === undefined ? null : Number(code);
  } catch {
    return null;
  }
}

function stopTree(tree: ProcessTree): void {
  tree.signal("SIGTERM");
  // The shell may exit before its children, so the whole tree has to exit.
  const giveUpAtMs = performance.now() + killGraceMs;
  const timer = setInterval(() => {
    if (!tree.isRunning()) return clearInterval(timer);
    if (performance.now() < giveUpAtMs) return;
    clearInterval(timer);
    tree.signal("SIGKILL");
  }, 50);
}
