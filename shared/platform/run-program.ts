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
