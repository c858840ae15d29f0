/** Runs system programs that print what no call of the runtime tells. */

/** Default upper bound on a program; a program that hangs is killed and counts as silent. */
const limitMsDefault = 10_000;

/** Returns the standard output of a program; empty if the program cannot be started. */
export async function outputOf(command: readonly string[], limitMs = limitMsDefault): Promise<string> {
  try {
    const child = Bun.spawn([...command], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    return await new Response(child.stdout).text();
  } catch {
    return "";
  }
}

/** Returns the first MAC address in the text, in lower case with colons; null if there is none. */
export function macIn(text: string): string | null {
  const mac = /([0-9a-f]{1,2}(?:[:-][0-9a-f]{1,2}){5})/i.exec(text)?.[1];
  if (mac === undefined) return null;
  return mac
    .split(/[:-]/)
    .map((octet) => octet.padStart(2, "0").toLowerCase())
    .join(":");
}

/** Upper bound on a program that changes the system, such as a start of a service. */
const changeMsMax = 120_000;

export type ProgramEnd = {
  /** Null when the program could not be started, or took too long. */
  readonly status: number | null;
  readonly stdout: string;
  /** Last line of the errors, or else of the output. */
  readonly lastLine: string;
};

/** Runs a program that changes the system. Never throws. */
export async function runSystemProgram(command: readonly string[]): Promise<ProgramEnd> {
  try {
    const child = Bun.spawn([...command], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: changeMsMax,
      killSignal: "SIGKILL",
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    const lastLine = (stderr.trim() || stdout.trim()).split("\n").at(-1) ?? "";
    return { status: child.exitCode, stdout, lastLine };
  } catch (error) {
    return { status: null, stdout: "", lastLine: error instanceof Error ? error.message : String(error) };
  }
}
