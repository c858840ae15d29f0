/**
 * Programs that a script starts: each with a log file of its own, ended for certain when the script ends.
 *
 * Not a supervisor: nothing is restarted unless the script says so. Names on screens are given by the caller.
 */
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";

export type RunningProgram = {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Exit status; 128 + n when signal n ended it. */
  readonly exited: Promise<number>;
  /** User and system time of the ended process and its children; null while it runs. */
  readonly cpuSecondsAtEnd: () => number | null;
  /** Null while it runs. */
  readonly exitStatus: () => number | null;
  /** Sends the signal and waits for the end; after `graceMs` it is killed. */
  readonly stop: (signal?: NodeJS.Signals, graceMs?: number) => Promise<number>;
};

const running = new Set<RunningProgram>();
let isEnding = false;

/** The environment of this process without what would change the programs that are tried. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([key, value]) => value !== undefined && !/^(FLOCKCAST_|BUN_BE_BUN$|https?_proxy$|all_proxy$)/i.test(key),
  );
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...extra };
}

/** Starts a program; its standard output and error are appended to `logFile`. */
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

/** Ends every program that `launch` started and that still runs; none is started after it. */
export async function stopAll(signal: NodeJS.Signals = "SIGTERM", graceMs = 3_000): Promise<void> {
  isEnding = true;
  await Promise.all([...running].map((program) => program.stop(signal, graceMs)));
}

/** The end of a program's log, for a person who has to find out why it failed. */
export async function logTail(program: RunningProgram, lines = 15): Promise<string> {
  const text = await readFile(program.logFile, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}

export type Output = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** Runs a command to its end. */
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
 * Standard output of a command that has to succeed.
 * @throws Error with the command line, its status and what it said.
 */
export async function outputOf(
  command: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<string> {
  const { status, stdout, stderr } = await runToEnd(command, options);
  if (status === 0) return stdout;
  throw new Error(`"${command.join(" ")}" ended with status ${status}: ${(stderr || stdout).trim()}`);
}
