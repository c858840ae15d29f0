/**
 * Programs that a script starts. Each writes to a log file of its own, and `stopAll` stops all.
 * Not a supervisor: a program that exits stays down unless the script starts it again.
 */
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isTakeover } from "../../shared/platform/runtime-variables.ts";

export type RunningProgram = {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves to the exit status; 128 + n after signal n. */
  readonly exited: Promise<number>;
  /** User and system time of the exited process and its children; null while it runs. */
  readonly cpuSecondsAtEnd: () => number | null;
  /** Exit status; null while the program runs. */
  readonly exitStatus: () => number | null;
  /** Sends the signal and returns the exit status. Sends SIGKILL after `graceMs`. */
  readonly stop: (signal?: NodeJS.Signals, graceMs?: number) => Promise<number>;
};

const running = new Set<RunningProgram>();
let isEnding = false;

/** Environment of this process without the variables that affect the programs under test. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([key, value]) =>
      value !== undefined && !/^(FLOCKCAST_|https?_proxy$|all_proxy$)/i.test(key) && !isTakeover(key),
  );
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...extra };
}

/**
 * Starts a program, and appends the standard output and standard error to `logFile`.
 * @throws Error after `stopAll` was called
 */
export function launch(spec: {
  readonly name: string;
  readonly command: readonly string[];
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}): RunningProgram {
  if (isEnding) throw new Error(`${spec.name} is not started: the script is ending`);
  const log = openSync(spec.logFile, "a");
  const child = Bun.spawn([...spec.command], {
    stdin: "ignore",
    stdout: log,
    stderr: log,
    env: cleanEnvironment(spec.env),
  });
  closeSync(log);
  let status: number | null = null;
  const program: RunningProgram = {
    name: spec.name,
    pid: child.pid,
    logFile: spec.logFile,
    exited: child.exited.then((code) => {
      status = code;
      running.delete(program);
      return code;
    }),
    cpuSecondsAtEnd: () => {
      const used = status === null ? undefined : child.resourceUsage();
      return used === undefined ? null : Number(used.cpuTime.total) / 1e6;
    },
    exitStatus: () => status,
    stop: async (signal = "SIGTERM", graceMs = 6_000) => {
      if (status !== null) return status;
      child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      const code = await program.exited;
      clearTimeout(timer);
      return code;
    },
  };
  running.add(program);
  return program;
}

/** Stops every running program that `launch` started. `launch` fails afterwards. */
export async function stopAll(signal: NodeJS.Signals = "SIGTERM", graceMs = 3_000): Promise<void> {
  isEnding = true;
  await Promise.all([...running].map((program) => program.stop(signal, graceMs)));
}

/** Returns the last lines of a program's log, for messages about its failure. */
export async function logTail(program: RunningProgram, lines = 15): Promise<string> {
  const text = await readFile(program.logFile, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}

export type Output = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** Runs a command to its end and returns its output, whatever its exit status. */
export async function runToEnd(
  command: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<Output> {
  const child = Bun.spawn([...command], {
    stdin: options.input === undefined ? "ignore" : Buffer.from(options.input),
    stdout: "pipe",
    stderr: "pipe",
    env: cleanEnvironment(options.env),
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}

/**
 * Runs a command that has to succeed and returns its standard output.
 * @throws Error with the command line, the exit status and the output
 */
export async function outputOf(
  command: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<string> {
  const { status, stdout, stderr } = await runToEnd(command, options);
  if (status === 0) return stdout;
  throw new Error(`"${command.join(" ")}" ended with status ${status}: ${(stderr || stdout).trim()}`);
}
