/** Output of a program of the system; empty when there is none. Blocks until the program has ended. */
export const outputOf = (command: string[]): string =>
  Bun.spawnSync(command, { stdout: "pipe", stderr: "ignore" }).stdout.toString();

/** The first MAC address in a neighbour table, lower-case with colons; null when there is none. */
export function macIn(text: string): string | null {
  const mac = /([0-9a-f]{1,2}(?:[:-][0-9a-f]{1,2}){5})/i.exec(text)?.[1];
  if (mac === undefined) return null;
  return mac
    .split(/[:-]/)
    .map((octet) => octet.padStart(2, "0").toLowerCase())
    .join(":");
}
