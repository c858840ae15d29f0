/**
 * Runs the command of a task in the package's folder: with a time limit, success exit codes and its output kept in a
 * file. The command is the administrator's own text and goes to the system's shell as it is.
 */
import { closeSync, mkdirSync, openSync, readSync, fstatSync } from "node:fs";
import { dirname } from "node:path";
import type { CommandOutcome } from "../api/schema/common.ts";
import { platform } from "../platform/index.ts";
import type { CommandRequest } from "../device/context.ts";

const outputTailBytes = 4_096;
const killGraceMs = 2_000;

/** @throws Error when the shell cannot be started */
export async function runCommand(request: CommandRequest): Promise<CommandOutcome> {
  mkdirSync(dirname(request.outputFile), { recursive: true });
  const output = openSync(request.outputFile, "w+", 0o600);
  try {
    const child = Bun.spawn(platform.shell(request.command), {
      cwd: request.folder,
      env: { ...process.env, ...request.environment },
      stdin: "ignore",
      stdout: output,
      stderr: output,
      // A process group of its own, so that what the command started ends with it.
      detached: platform.hasProcessGroups,
    });
    let timedOut = false;
    const end = (): void => endTree(child);
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

function endTree(child: Bun.Subprocess): void {
  platform.signalTree(child.pid, "SIGTERM");
  // The shell may be gone while what it started goes on: it is the group that has to end.
  const giveUpAtMs = performance.now() + killGraceMs;
  const timer = setInterval(() => {
    if (!isAlive(child)) return clearInterval(timer);
    if (performance.now() < giveUpAtMs) return;
    clearInterval(timer);
    platform.signalTree(child.pid, "SIGKILL");
  }, 50);
}

const isAlive = (child: Bun.Subprocess): boolean =>
  platform.isTreeAlive(child.pid) ?? (child.exitCode === null && child.signalCode === null);

function tailOf(file: number): string {
  const { size } = fstatSync(file);
  const bytes = Buffer.alloc(Math.min(size, outputTailBytes));
  readSync(file, bytes, 0, bytes.length, size - bytes.length);
  return bytes.toString("utf8");
}
