/**
 * Runs a system program and returns its standard output. Blocks until the program has exited.
 * @throws Error when the program cannot be started
 */
export const outputOf = (command: string[]): string =>
  Bun.spawnSync(command, { stdout: "pipe", stderr: "ignore" }).stdout.toString();

/** Returns the first MAC address in the text, in lower case with colons; null if there is none. */
export function macIn(text: string): string | null {
  const mac = /([0-9a-f]{1,2}(?:[:-][0-9a-f]{1,2}){5})/i.exec(text)?.[1];
  if (mac === undefined) return null;
  return mac
    .split(/[:-]/)
    .map((octet) => octet.padStart(2, "0").toLowerCase())
    .join(":");
}
