/**
 * Runs the command of a task in the package's folder: with a time limit, success exit codes and its output kept in a
 * file. The command is the administrator's own text and goes to the system's shell as it is.
 */
import { closeSync, mkdirSync, openSync, readSync, fstatSync } from "node:fs";
import { dirname } from "node:path";
import type { CommandOutcome } from "../control/schema.ts";

const outputTailBytes = 4_096;
const killGraceMs = 2_000;

export type CommandRequest = {
  command: string;
  folder: string;
  /** Standard output and error, as they came. */
  outputFile: string;
  timeoutMs: number;
  environment: Record<string, string>;
  signal: AbortSignal;
};

/** @throws Error when the shell cannot be started */
export async function runCommand(request: CommandRequest): Promise<CommandOutcome> {
  mkdirSync(dirname(request.outputFile), { recursive: true });
  const output = openSync(request.outputFile, "w+", 0o600);
  try {
    const shell =
      process.platform === "win32"
        ? ["cmd.exe", "/d", "/s", "/c", request.command]
        : ["/bin/sh", "-c", request.command];
    const child = Bun.spawn(shell, {
      cwd: request.folder,
      env: { ...process.env, ...request.environment },
      stdin: "ignore",
      stdout: output,
      stderr: output,
      // A process group of its own, so that what the command started ends with it.
      detached: process.platform !== "win32",
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
  const send = (signal: NodeJS.Signals): void => {
    try {
      if (process.platform === "win32") Bun.spawnSync(["taskkill", "/pid", String(child.pid), "/t", "/f"]);
      else process.kill(-child.pid, signal);
    } catch {
      // Gone already.
    }
  };
  send("SIGTERM");
  // The shell may be gone while what it started goes on: it is the group that has to end.
  const giveUpAtMs = performance.now() + killGraceMs;
  const timer = setInterval(() => {
    if (!isGroupAlive(child)) return clearInterval(timer);
    if (performance.now() < giveUpAtMs) return;
    clearInterval(timer);
    send("SIGKILL");
  }, 50);
}

function isGroupAlive(child: Bun.Subprocess): boolean {
  if (process.platform === "win32") return child.exitCode === null && child.signalCode === null;
  try {
    return process.kill(-child.pid, 0);
  } catch {
    return false;
  }
}

function tailOf(file: number): string {
  const { size } = fstatSync(file);
  const bytes = Buffer.alloc(Math.min(size, outputTailBytes));
  readSync(file, bytes, 0, bytes.length, size - bytes.length);
  return bytes.toString("utf8");
}
