/**
 * Runs the command of a task in the package's folder, with a time limit and its output in a file.
 *
 * The command is the administrator's text and is passed to the system's shell unchanged. Whether
 * its exit code means success is decided in `device/command-outcome.ts`.
 */
import { closeSync, mkdirSync, openSync, readSync, fstatSync } from "node:fs";
import { join } from "node:path";
import type { CommandOutcome } from "../api/schema/common.ts";
import { platform } from "../platform/index.ts";
import type { CommandRequest } from "../device/ports.ts";

const outputTailBytes = 4_096;
/** Time between SIGTERM and SIGKILL. */
const killGraceMs = 2_000;

/**
 * Runs the command until it exits, its time limit passes or `request.signal` is aborted.
 * @param outputFolder for standard output and error together, as TASK.log
 * @throws Error when the shell cannot be started
 */
export async function runCommand(request: CommandRequest, outputFolder: string): Promise<CommandOutcome> {
  mkdirSync(outputFolder, { recursive: true });
  const output = openSync(join(outputFolder, `${request.taskId}.log`), "w+", 0o600);
  try {
    const child = Bun.spawn(platform.shell(request.command), {
      cwd: request.folder,
      env: { ...process.env, ...request.environment },
      stdin: "ignore",
      stdout: output,
      stderr: output,
      // With its own process group, the command can be stopped together with its children.
      detached: platform.hasProcessGroups,
    });
    let timedOut = false;
    const end = (): void => stopTree(child);
    const limit = setTimeout(() => {
      timedOut = true;
      end();
    }, request.timeoutMs);
    request.signal.addEventListener("abort", end, { once: true });
    await child.exited;
    clearTimeout(limit);
    request.signal.removeEventListener("abort", end);
    return { exitCode: child.exitCode, timedOut, outputTail: tailOf(output) };
  } finally {
    closeSync(output);
  }
}

function stopTree(child: Bun.Subprocess): void {
  platform.signalTree(child.pid, "SIGTERM");
  // The shell may exit before its children, so the whole group has to exit.
  const giveUpAtMs = performance.now() + killGraceMs;
  const timer = setInterval(() => {
    if (!isRunning(child)) return clearInterval(timer);
    if (performance.now() < giveUpAtMs) return;
    clearInterval(timer);
    platform.signalTree(child.pid, "SIGKILL");
  }, 50);
}

const isRunning = (child: Bun.Subprocess): boolean =>
  platform.isTreeRunning(child.pid) ?? (child.exitCode === null && child.signalCode === null);

/** Returns the end of the output; a command that ran is not repeated because this fails. */
function tailOf(file: number): string {
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, outputTailBytes));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8");
  } catch (error) {
    return `(the output could not be read: ${error instanceof Error ? error.message : String(error)})`;
  }
}
