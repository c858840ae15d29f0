/**
 * Runs the command of a task in the package's folder, with a time limit and its output in a file
 * (command-output.ts).
 *
 * The command is the administrator's text and is passed to the system's shell unchanged. Whether
 * its exit code means success is decided in `device/command-outcome.ts`.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CommandOutcome } from "../api/schema/common.ts";
import { CommandOutput } from "./command-output.ts";
import { platform, type ProcessTree } from "../platform/index.ts";
import type { CommandRequest } from "../device/ports.ts";
import { removeOldLogs } from "./task-logs.ts";

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
  removeOldLogs(outputFolder, Date.now());
  const output = new CommandOutput(join(outputFolder, `${request.taskId}.log`));
  let tail = "";
  let child: Bun.Subprocess;
  let tree: ProcessTree | null = null;
  let timedOut = false;
  try {
    const { words, isVerbatim } = platform.shell(request.command, request.shell);
    child = Bun.spawn([...words], {
      windowsVerbatimArguments: isVerbatim,
      cwd: request.folder,
      env: { ...process.env, ...request.environment },
      stdin: "ignore",
      stdout: output.file,
      stderr: output.file,
      // With its own process group, the command can be stopped together with its children.
      detached: platform.hasProcessGroups,
    });
    const started = (tree = platform.processTree(child.pid));
    const end = (): void => stopTree(started);
    const limit = setTimeout(() => {
      timedOut = true;
      end();
    }, request.timeoutMs);
    request.signal.addEventListener("abort", end, { once: true });
    await child.exited;
    clearTimeout(limit);
    request.signal.removeEventListener("abort", end);
  } finally {
    tree?.close();
    tail = output.close(outputTailBytes);
  }
  return { exitCode: child.exitCode, timedOut, outputTail: tail };
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
